"""One image, sent in any of its forms: the dependency that counting and search share."""

import json
from typing import Annotated

import pytest
from fastapi import Depends

from app.deps import ImageQuery, ImageQueryReader, image_openapi
from tests.conftest import Client

AnyImage = Annotated[ImageQuery, Depends(ImageQueryReader("gallery", "row", "box", "vector"))]

JPEG = b"\xff\xd8 not looked at here \xff\xd9"


@pytest.fixture
def echo(client: Client) -> Client:
    """An application with an address that tells what image it was asked about."""

    @client.app.post("/api/test-image")
    def tell(query: AnyImage) -> dict[str, object]:
        return {
            "bytes": len(query.data) if query.data is not None else None,
            "gallery": query.gallery,
            "row": query.row,
            "vector": query.vector,
            "box": query.box,
        }

    return client


def sent(client: Client, body: object) -> tuple[int, dict[str, object]]:
    answer = client.post("/api/test-image", content=json.dumps(body), headers={"content-type": "application/json"})
    return answer.status_code, answer.json()


@pytest.mark.parametrize("box", ["1,2,30.5,40", " 1, 2, 30.5, 40 ", "[1, 2, 30.5, 40]"])
def test_a_file_and_a_box_of_it(echo: Client, box: str) -> None:
    answer = echo.post("/api/test-image", files={"file": ("../../x.jpg", JPEG)}, data={"box": box})
    assert answer.json()["bytes"] == len(JPEG) and answer.json()["box"] == [1, 2, 30.5, 40]


def test_a_row_or_a_vector_as_json(echo: Client) -> None:
    status, row = sent(echo, {"gallery": "birds", "row": 3, "box": [0, 0, 8, 8]})
    assert (status, row["gallery"], row["row"], row["box"]) == (200, "birds", 3, [0, 0, 8, 8])
    status, vector = sent(echo, {"vector": [1, 2.5]})
    assert (status, vector["vector"]) == (200, [1, 2.5])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"gallery": "birds"},
        {"row": 3},
        {"gallery": "birds", "row": 3, "vector": [1.0]},
        {"gallery": "birds", "row": -1},
        {"gallery": "birds", "row": "3"},
        {"gallery": "birds", "row": True},
        {"gallery": "birds", "row": 2**63},
        {"gallery": "birds", "row": 3, "box": [0, 0, 8]},
        {"gallery": "birds", "row": 3, "box": [8, 0, 8, 8]},
        {"gallery": "birds", "row": 3, "colour": "red"},
        {"vector": []},
        {"vector": ["1"]},
        {"vector": [1.0], "box": [0, 0, 8, 8]},
        [],
        None,
        "row",
    ],
    ids=str,
)
def test_anything_but_one_valid_image_is_refused_in_words(echo: Client, body: object) -> None:
    status, answer = sent(echo, body)
    assert status == 422 and answer["error"]["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999"])
def test_a_vector_must_be_finite(echo: Client, number: str) -> None:
    content = f'{{"vector": [1.0, {number}]}}'
    answer = echo.post("/api/test-image", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and "vector" in answer.json()["error"]["message"]


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "nan,0,1,1", "5,0,1,1", "0,0,inf,1", "[[0,0,1,1]]"])
def test_a_box_must_be_a_box(echo: Client, box: str) -> None:
    answer = echo.post("/api/test-image", files={"file": JPEG}, data={"box": box})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_box")


def test_forms_with_no_file_two_files_or_other_fields_are_refused(echo: Client) -> None:
    two = [("file", ("a.jpg", JPEG)), ("file", ("b.jpg", JPEG))]
    for options in ({"files": two}, {"files": {"image": JPEG}}, {"files": {"file": JPEG}, "data": {"row": "3"}}):
        assert echo.post("/api/test-image", **options).status_code == 422
    text = echo.post("/api/test-image", files={"file": (None, "text instead of a file")})
    assert text.status_code == 422


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[" * 100_000, 400), (b"\xff", 400), (b"", 400)])
def test_what_is_no_json_is_a_bad_request(echo: Client, body: bytes, status: int) -> None:
    answer = echo.post("/api/test-image", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status


def test_a_form_without_its_boundary_is_a_bad_request(echo: Client) -> None:
    answer = echo.post("/api/test-image", content=b"abc", headers={"content-type": "multipart/form-data"})
    assert answer.status_code == 400


def test_nothing_at_all_says_what_is_wanted(echo: Client) -> None:
    answer = echo.post("/api/test-image")
    assert answer.status_code == 422 and "`file`" in answer.json()["error"]["message"]


def test_both_forms_are_declared() -> None:
    content = image_openapi("row", "vector")["requestBody"]["content"]  # type: ignore[index]
    assert set(content) == {"multipart/form-data", "application/json"}
    assert set(content["application/json"]["schema"]["properties"]) == {"row", "vector"}
