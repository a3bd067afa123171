"""Files whose names come in the form that HTTP libraries use for other alphabets."""

import io

import pytest
from PIL import Image

from app.web.file_names import with_plain_name
from tests.conftest import Client


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"form-data; name=\"file\"; filename*=UTF-8''na%C3%AFve.png", "na\u00efve.png"),
        (b"form-data; name=\"file\"; FileName*=utf-8'en'%E5%86%99.png", "\u5199.png"),
        (b"form-data; name=\"file\"; filename*=iso-8859-1''na%EFve.png", "na\u00efve.png"),
    ],
)
def test_the_plain_name_is_added(sent: bytes, name: str) -> None:
    assert with_plain_name(sent) == sent + f'; filename="{name}"'.encode()


@pytest.mark.parametrize(
    "sent",
    [
        b'form-data; name="file"',
        b'form-data; name="file"; filename="a.png"',
        b'form-data; name="file"; filename="a.png"; filename*=UTF-8\'\'b.png',
        b"form-data; name=\"file\"; filename*=klingon''b.png",
    ],
)
def test_everything_else_stays_as_it_is(sent: bytes) -> None:
    assert with_plain_name(sent) == sent


def form(field: str) -> tuple[bytes, dict[str, str]]:
    sink = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(sink, "PNG")
    head = f"--X\r\nContent-Disposition: form-data; name=\"{field}\"; filename*=UTF-8''na%C3%AFve.png\r\n"
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + sink.getvalue() + b"\r\n--X--\r\n"
    return body, {"content-type": "multipart/form-data; boundary=X"}


def test_such_a_file_is_a_file_wherever_one_is_sent(client: Client) -> None:
    body, headers = form("file")
    asked = client.request("POST", "/photo", content=body, headers=headers)
    assert "network" in asked.text or "counts" in asked.text  # that there is none yet, not that there is no file
    assert "one_image" not in asked.text and "Unknown form field" not in asked.text
    gallery = client.post("/api/galleries", json={"name": "mine", "source": {"kind": "upload"}})
    assert gallery.status_code == 202
    body, headers = form("files")
    sent = client.request("POST", "/api/galleries/mine/images", content=body, headers=headers)
    assert sent.status_code == 202, sent.text
