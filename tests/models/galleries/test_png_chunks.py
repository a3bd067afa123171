"""Broken or long extras of a PNG file do not stand in the way of its picture."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models.galleries.images import BadImage, open_image, store_image
from models.galleries.png_chunks import SIGNATURE, without_extras


def png(mode: str = "RGB", **more: object) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise((40, 30), 80).convert(mode).save(sink, "PNG", **more)
    return sink.getvalue()


def with_chunk(data: bytes, name: bytes, content: bytes, *, before: bytes, whole: bool = True) -> bytes:
    """The file with one more chunk, in front of the first one called `before`."""
    checksum = zlib.crc32(name + content) ^ (0 if whole else 1)
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    at = data.index(before) - 4
    return data[:at] + chunk + data[at:]


PROFILE = b"icc\0\0" + zlib.compress(bytes(5_000_000))
TEXT = b"note\0\0" + zlib.compress(b"x" * 5_000_000)


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("name", "content"),
    [(b"iCCP", PROFILE), (b"zTXt", TEXT), (b"tIME", bytes(7)), (b"tEXt", b"a\0b"), (b"prVt", b"?"), (b"gAMA", b"\0")],
)
def test_an_extra_that_is_broken_or_long_changes_no_pixel(
    name: bytes, content: bytes, whole: bool, before: bytes
) -> None:
    plain = png()
    odd = with_chunk(plain, name, content, before=before, whole=whole)
    assert np.array_equal(np.asarray(open_image(odd).image), np.asarray(open_image(plain).image))
    assert store_image(odd).jpeg == store_image(plain).jpeg
    assert without_extras(odd) == plain


def test_transparency_orientation_and_frames_stay() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = png(exif=exif.tobytes())
    assert open_image(turned).image.size == (30, 40) and without_extras(turned) == turned
    palette = io.BytesIO()
    Image.effect_noise((40, 30), 80).convert("P").save(palette, "PNG", transparency=0)
    assert without_extras(palette.getvalue()) == palette.getvalue()
    moving = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), (shade, 0, 0)) for shade in (0, 90, 200)]
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    assert open_image(moving.getvalue()).warnings == ("frames_ignored: 2",)
    broken = with_chunk(png("RGBA"), b"eXIf", b"nonsense", before=b"IDAT", whole=False)
    assert open_image(broken).image.size == (40, 30)


def test_a_damaged_picture_is_still_refused() -> None:
    information = PngImagePlugin.PngInfo()
    information.add_text("note", "hello")
    data = png(pnginfo=information)
    for cut in (len(SIGNATURE) + 4, len(data) // 2):
        with pytest.raises(BadImage):
            open_image(data[:cut])
    wrong = bytearray(data)
    wrong[wrong.index(b"IHDR") + 4] ^= 0xFF
    with pytest.raises(BadImage):
        open_image(bytes(wrong))
    assert without_extras(b"GIF89a...") == b"GIF89a..." and without_extras(SIGNATURE) == SIGNATURE
