"""Dependencies that routes ask for by type: settings, services, and an image to ask about."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from app.failures import BadQuery, BadRequest, WrongType
from app.services.services import Services
from app.settings import Settings
from app.web.file_names import NamedParts

MAX_ID = 2**63 - 1
MAX_NAME = 200  # characters of a slug or a label in a query

RowPath = Annotated[int, Path(ge=0, le=MAX_ID)]
UnitPath = Annotated[int, Path(ge=0, le=MAX_ID)]
LimitQuery = Annotated[int, Query(ge=1, le=500)]

ImageField = Literal["gallery", "row", "box", "vector"]


def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


SettingsDep = Annotated[Settings, Depends(get_settings)]
ServicesDep = Annotated[Services, Depends(get_services)]


@dataclass(frozen=True)
class ImageQuery:
    """An image to ask about: exactly one of `data` (the uploaded bytes), `row` or `vector` is set.

    `box` is (x0, y0, x1, y1) in pixels of the image that `.../image` serves; the service clips it to the image.
    """

    data: bytes | None = None
    gallery: str | None = None
    row: int | None = None
    vector: tuple[float, ...] | None = None
    box: tuple[float, float, float, float] | None = None


class ImageBody(BaseModel):
    """The JSON form of an image query."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    gallery: str | None = Field(None, max_length=MAX_NAME)
    row: int | None = Field(None, ge=0, le=MAX_ID)
    box: list[float] | None = Field(None, min_length=4, max_length=4)
    vector: list[float] | None = Field(None, min_length=1)


class ImageQueryReader:
    """A dependency that reads an `ImageQuery` from a multipart or a JSON body, as the Content-Type says.

    `fields` are those that the JSON body may have.
    """

    def __init__(self, *fields: ImageField) -> None:
        self.fields = fields

    async def __call__(self, request: Request) -> ImageQuery:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "multipart/form-data":
            return await self._from_parts(request)
        if content_type == "application/json":
            return self._from_json(await request.body())
        if not content_type and not await request.body():
            raise BadQuery("no_image", f"Send one image: multipart `file`, or JSON with {self._json_sources}.")
        raise WrongType("unsupported_content_type", "Send multipart/form-data with a `file`, or application/json.")

    @property
    def _json_sources(self) -> str:
        return " or ".join(f"`{name}`" for name in ("row", "vector") if name in self.fields)

    async def _from_parts(self, request: Request) -> ImageQuery:
        try:
            form = await NamedParts(request.headers, request.stream(), max_files=8, max_fields=8).parse()
        except (MultiPartException, KeyError):
            raise BadRequest("malformed_form", "The multipart body cannot be parsed.") from None
        try:
            return await self._from_form(form)
        finally:
            await form.close()

    async def _from_form(self, form: FormData) -> ImageQuery:
        unknown = sorted(set(form) - {"file", *(set(self.fields) & {"box"})})
        if unknown:
            raise BadQuery("unknown_field", f"Unknown form field `{unknown[0]}`; send `file` and, if wanted, `box`.")
        files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
        if len(files) != 1 or len(form.getlist("file")) != 1:
            raise BadQuery("one_image", f"Send exactly one image as `file`, got {len(form.getlist('file'))}.")
        return ImageQuery(data=await files[0].read(), box=box_from_text(form.get("box")))

    def _from_json(self, body: bytes) -> ImageQuery:
        fields = parse_json(body)
        if not isinstance(fields, dict):
            raise BadQuery("invalid_body", "Send a JSON object.")
        unknown = sorted(set(fields) - set(self.fields))
        if unknown:
            raise BadQuery("unknown_field", f"Unknown field `{unknown[0][:80]}`; known are {', '.join(self.fields)}.")
        try:
            query = ImageBody.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadQuery("invalid_value", f"`{name}`: {first['msg']}.", {"field": name}) from None
        return self._one_source(query)

    def _one_source(self, query: ImageBody) -> ImageQuery:
        if (query.row is None) == (query.vector is None):
            raise BadQuery("one_image", f"Send exactly one image: a file, or {self._json_sources}.")
        if "gallery" in self.fields and query.vector is None and query.gallery is None:
            raise BadQuery("gallery_missing", "`row` needs the `gallery` that it belongs to.")
        if query.vector is not None and (query.box is not None or query.gallery is not None):
            raise BadQuery("one_image", "A `vector` takes neither `box` nor `gallery`.")
        vector = tuple(query.vector) if query.vector is not None else None
        return ImageQuery(gallery=query.gallery, row=query.row, vector=vector, box=_box(query.box))


def parse_json(body: bytes) -> object:
    """The JSON value of `body`. Raises BadRequest where it cannot be parsed.

    NaN, Infinity and 1e999 are parsed, so that the later check of values refuses them by BadQuery.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("malformed_json", "The body is not valid JSON.") from None
    return value


def box_from_text(text: object) -> tuple[float, float, float, float] | None:
    """The box in a text `x0,y0,x1,y1` or a JSON list of these; None where it is empty. Raises BadQuery."""
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise BadQuery("bad_box", "`box` is text: x0,y0,x1,y1.")
    try:
        return _box([float(part) for part in text.strip().removeprefix("[").removesuffix("]").split(",")])
    except ValueError:
        raise BadQuery("bad_box", "`box` is four numbers: x0,y0,x1,y1.") from None


def _box(corners: list[float] | None) -> tuple[float, float, float, float] | None:
    if corners is None:
        return None
    if len(corners) != 4 or not all(math.isfinite(corner) for corner in corners):
        raise BadQuery("bad_box", "`box` is four finite numbers: x0,y0,x1,y1.")
    x0, y0, x1, y1 = corners
    if x0 >= x1 or y0 >= y1:
        raise BadQuery("bad_box", "`box` is x0,y0,x1,y1 with x0 < x1 and y0 < y1.")
    return x0, y0, x1, y1


_SCHEMAS: Mapping[ImageField, Mapping[str, object]] = {
    "gallery": {"type": "string", "description": "slug of the gallery that `row` belongs to"},
    "row": {"type": "integer", "minimum": 0},
    "box": {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 4,
        "maxItems": 4,
        "description": "x0, y0, x1, y1 in pixels of the image as served; clipped to it",
    },
    "vector": {"type": "array", "items": {"type": "number"}, "minItems": 1},
}


def image_openapi(*fields: ImageField) -> dict[str, object]:
    """The `openapi_extra` of a route with an `ImageQueryReader(*fields)`: describes its multipart and JSON bodies."""
    form = {"file": {"type": "string", "format": "binary"}, "box": {"type": "string", "examples": ["16,16,144,144"]}}
    body = {"type": "object", "additionalProperties": False}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {**body, "properties": form, "required": ["file"]}},
                "application/json": {"schema": {**body, "properties": {name: _SCHEMAS[name] for name in fields}}},
            },
        }
    }


count_image_query = ImageQueryReader("gallery", "row", "box")
search_image_query = ImageQueryReader("row", "box", "vector")

CountImageDep = Annotated[ImageQuery, Depends(count_image_query)]
SearchImageDep = Annotated[ImageQuery, Depends(search_image_query)]
COUNT_IMAGE_OPENAPI = image_openapi("gallery", "row", "box")
SEARCH_IMAGE_OPENAPI = image_openapi("row", "box", "vector")
