"""The one module that opens, orients, converts, resizes and re-encodes images.

Gallery images and query images take the same path (`store_image`), so that an image of a gallery finds itself at
distance 0. Nothing of the source file but its pixels is kept: EXIF, profiles and appended bytes are dropped.
"""

import hashlib
import io
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.galleries.budget import DecodeBudget
from models.galleries.phash import phash
from models.galleries.png_chunks import without_extras

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM")
MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 16_384
STORED_SIDE: Final = 256
THUMB_SIDE: Final = 128
JPEG_QUALITY: Final = 90
THUMB_QUALITY: Final = 80
TINY_SIDE: Final = 16

Code = Literal["empty_file", "unsupported_format", "too_many_pixels", "bad_dimensions", "truncated_image"]

_ORIENTATION_TAG: Final = 0x0112
# EXIF orientation -> what brings the picture upright; 1 is upright already.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS: Final = (5, 6, 7, 8)


class BadImage(ValueError):
    """A file that is not an image Tessera opens; `code` says why, the message what to do about it."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code


@dataclass(frozen=True)
class OpenedImage:
    """An upright RGB picture. `width` and `height` are the upright source's, also where the picture is a reduction."""

    image: Image.Image
    width: int
    height: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredImage:
    """What a pack keeps of an image. `sha256` is that of the source bytes, `phash` the perceptual hash of the stored
    JPEG.
    """

    jpeg: bytes
    thumb: bytes
    width: int
    height: int
    jpeg_width: int
    jpeg_height: int
    sha256: str
    warnings: tuple[str, ...] = ()
    phash: int | None = None


def open_image(data: bytes) -> OpenedImage:
    """Decode an image at full size. Raises BadImage."""
    return _decoded(_read_header(data, None))


def store_image(data: bytes, budget: DecodeBudget | None = None) -> StoredImage:
    """Re-encode an image the way packs keep it: shorter side at most 256 and never enlarged.

    Raises BadImage, and NoTurn of the `budget` that bounds what is decoded at the same time.
    """
    # Twice the stored side: the JPEG decoder may skip detail that the resampling would average away anyway.
    header = _read_header(data, 2 * STORED_SIDE)
    with nullcontext() if budget is None else budget.lend(_memory(header.image)):
        opened = _small(header)
    picture = opened.image
    thumb = _resize(picture, _fit(*picture.size, THUMB_SIDE / max(picture.size)))
    jpeg = _encode(picture, "JPEG", quality=JPEG_QUALITY)
    return StoredImage(
        jpeg=jpeg,
        thumb=_encode(thumb, "WEBP", quality=THUMB_QUALITY, method=0),
        width=opened.width,
        height=opened.height,
        jpeg_width=picture.width,
        jpeg_height=picture.height,
        sha256=hashlib.sha256(data).hexdigest(),
        warnings=opened.warnings,
        phash=phash(jpeg),
    )


@dataclass(frozen=True)
class _Header:
    """An image that is not decoded yet, and its size before any reduction."""

    image: Image.Image
    width: int
    height: int


def _small(header: _Header) -> OpenedImage:
    """The picture as packs keep it; the large one is freed when this returns."""
    opened = _decoded(header)
    size = _fit(opened.width, opened.height, STORED_SIDE / min(opened.width, opened.height))
    return replace(opened, image=_resize(opened.image, size))


def _memory(image: Image.Image) -> int:
    """The bytes that decoding and converting an image takes at most, measured by format of its pixels."""
    a_pixel = 28 if image.mode.startswith("I") else 24 if image.has_transparency_data else 12
    return image.width * image.height * a_pixel


def _decoded(header: _Header) -> OpenedImage:
    image, width, height = header.image, header.width, header.height
    try:
        frames = int(getattr(image, "n_frames", 1))
        orientation = _orientation(image)
        image.load()
        picture = _to_rgb(image)
        image.close()
        picture.info = {}  # or the encoders would carry the source's profile and comment along with the pixels
        if orientation in _UPRIGHT:
            picture = picture.transpose(_UPRIGHT[orientation])
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        raise BadImage("truncated_image", "The image is cut short or damaged.") from error
    if orientation in _SIDEWAYS:
        width, height = height, width
    return OpenedImage(picture, width, height, _warnings(width, height, frames))


def _read_header(data: bytes, enough: int | None) -> _Header:
    """Open without decoding, only the formats of the list, only within the limits.

    A JPEG whose shorter side exceeds `enough` pixels is decoded at a fraction of its size later.
    """
    if not data:
        raise BadImage("empty_file", "The file is empty.")
    try:
        image = Image.open(io.BytesIO(without_extras(data)), formats=FORMATS)
        width, height = image.size
        if enough is not None and image.format in ("JPEG", "MPO") and min(width, height) > 0:
            share = enough / min(width, height)
            image.draft(None, (max(1, int(width * share)), max(1, int(height * share))))
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise BadImage(
            "unsupported_format", "This is not an image of a supported kind. Convert it to JPEG or PNG."
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        raise BadImage("truncated_image", "The image is cut short or damaged.") from error
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadImage("bad_dimensions", f"The image is {width} x {height}; a side may have at most {MAX_SIDE} pixels.")
    return _Header(image, width, height)


def _too_many_pixels() -> BadImage:
    return BadImage("too_many_pixels", f"The image has more than {MAX_PIXELS // 1_000_000} million pixels.")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except MemoryError:
        raise
    except Exception:  # broken metadata does not make the picture unreadable
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Eight bits a channel, transparency over white."""
    if image.mode == "F":
        raise BadImage("unsupported_format", "Images of floating-point numbers have no agreed range. Convert to PNG.")
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion clips at 255 and turns nearly all of it white
        deep = np.asarray(image).astype(np.int64).clip(0, 65_535)
        return Image.fromarray(((deep + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _warnings(width: int, height: int, frames: int) -> tuple[str, ...]:
    found = []
    if frames > 1:
        found.append(f"frames_ignored: {frames - 1}")
    if min(width, height) < TINY_SIDE:
        found.append("tiny_image")
    return tuple(found)


def _fit(width: int, height: int, share: float) -> tuple[int, int]:
    """The size scaled by `share`, never enlarged, never without pixels."""
    share = min(1.0, share)
    return max(1, round(width * share)), max(1, round(height * share))


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _encode(image: Image.Image, kind: str, *, quality: int, method: int | None = None) -> bytes:
    sink = io.BytesIO()
    options = {} if method is None else {"method": method}
    image.save(sink, kind, quality=quality, **options)
    return sink.getvalue()
