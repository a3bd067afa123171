import io
import resource
import time
import zlib
from struct import pack as bits

import numpy as np
import pytest
from PIL import Image

from models.galleries.images import BadImage, OpenedImage, open_image, store_image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def plain(width: int = 40, height: int = 30, colour: object = (200, 40, 90), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), colour)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def blank_png(width: int, height: int, *, lines: int | None = None) -> bytes:
    """A black 1-bit PNG written by hand: its header may promise any size, whatever `lines` of pixels follow."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return bits(">I", len(data)) + kind + data + bits(">I", zlib.crc32(kind + data))

    header = bits(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    squeeze, line = zlib.compressobj(9), b"\0" * (1 + (width + 7) // 8)
    data = b"".join(squeeze.compress(line) for _ in range(height if lines is None else lines)) + squeeze.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pixel(opened: OpenedImage, x: int = 0, y: int = 0) -> tuple[int, ...]:
    found = opened.image.getpixel((x, y))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def refusal(data: bytes) -> str:
    with pytest.raises(BadImage) as caught:
        store_image(data)
    return caught.value.code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM"])
def test_each_format_of_the_list_opens(kind: str) -> None:
    opened = open_image(encoded(plain(), kind))
    assert (opened.width, opened.height, opened.image.mode) == (40, 30, "RGB")
    assert np.abs(np.subtract(pixel(opened), (200, 40, 90))).max() <= 6


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == "empty_file"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><html><body>not a cat</body></html>",
        encoded(plain(), "TIFF"),
        b"8BPS\0\1" + b"\0" * 6 + bits(">HIIHH", 3, 30, 40, 8, 3) + b"\0" * 100,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n",
        b"%PDF-1.7\n",
        encoded(plain(), "ICO"),
        b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
        b"just words",
    ],
    ids=["svg", "html", "tiff", "psd", "eps", "pdf", "ico", "heic", "text"],
)
def test_what_is_not_of_the_list_is_refused_by_content(data: bytes) -> None:
    assert refusal(data) == "unsupported_format"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_file_cut_at_60_percent_is_refused(kind: str) -> None:
    data = encoded(noise(120, 80), kind)
    assert refusal(data[: len(data) * 6 // 10]) == "truncated_image"


def test_one_pixel_is_an_image_with_a_warning() -> None:
    stored = store_image(encoded(plain(1, 1)))
    assert (stored.width, stored.height, stored.jpeg_width, stored.jpeg_height) == (1, 1, 1, 1)
    assert stored.warnings == ("tiny_image",)


def test_a_side_over_the_limit_is_refused_and_a_long_one_within_it_is_not() -> None:
    assert refusal(blank_png(1, 20_000)) == "bad_dimensions"
    stored = store_image(blank_png(1, 10_000))
    assert (stored.width, stored.height) == (1, 10_000)
    with Image.open(io.BytesIO(stored.thumb)) as thumb:
        assert thumb.size == (1, 128)


def test_a_bomb_is_refused_from_its_header_at_once() -> None:
    data = blank_png(50_000, 50_000, lines=10)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    assert refusal(data) == "too_many_pixels"
    assert time.perf_counter() - start < 0.1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_our_own_pixel_limit_is_below_that_of_the_decoder() -> None:
    assert refusal(blank_png(12_000, 12_000, lines=10)) == "too_many_pixels"
    assert refusal(blank_png(6_400, 6_400, lines=10)) == "too_many_pixels"  # 41 million
    assert open_image(blank_png(6_300, 6_300)).width == 6_300  # 39.7 million


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    deep = np.random.default_rng(1).integers(0, 65_536, (64, 64), dtype=np.uint16)
    opened = open_image(encoded(Image.fromarray(deep)))
    assert np.asarray(opened.image).mean() == pytest.approx(deep.mean() / 257, rel=0.01)
    assert pixel(open_image(encoded(Image.fromarray(np.full((4, 4), 257 * 99, np.uint16))))) == (99, 99, 99)


def test_sixteen_bit_pgm_keeps_its_brightness() -> None:
    data = b"P5 4 4 65535\n" + np.full(16, 257 * 41, ">u2").tobytes()
    assert pixel(open_image(data)) == (41, 41, 41)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_on_white(mode: str) -> None:
    clear, half = ((10, 0), (10, 128)) if mode == "LA" else ((10, 10, 10, 0), (10, 10, 10, 128))
    assert pixel(open_image(encoded(plain(colour=clear, mode=mode)))) == (255, 255, 255)
    assert pixel(open_image(encoded(plain(colour=half, mode=mode))))[0] == pytest.approx(132, abs=1)


def test_a_transparent_palette_entry_becomes_white_and_the_others_keep_their_colour() -> None:
    image = plain(4, 1, 0, "P")
    image.putpalette([0, 0, 0, 250, 20, 30])
    image.putpixel((1, 0), 1)
    opened = open_image(encoded(image, transparency=0))
    assert (pixel(opened, 0), pixel(opened, 1)) == ((255, 255, 255), (250, 20, 30))


def test_a_cmyk_jpeg_has_the_golden_colours() -> None:
    stripes = Image.new("CMYK", (80, 16))
    inks = {(0, 0, 0, 0): (255, 255, 255), (0, 255, 255, 0): (255, 0, 0), (255, 0, 255, 0): (0, 255, 0)}
    inks[0, 0, 0, 255] = (0, 0, 0)
    for place, ink in enumerate(inks):
        stripes.paste(ink, (20 * place, 0, 20 * place + 20, 16))
    opened = open_image(encoded(stripes, "JPEG", quality=95))
    for place, colour in enumerate(inks.values()):
        assert np.abs(np.subtract(pixel(opened, 20 * place + 10, 8), colour)).max() <= 8


def test_orientation_6_turns_the_picture_upright() -> None:
    image = plain(40, 20, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 20, 20))  # left half red: upright, the top half
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = store_image(encoded(image, "JPEG", exif=exif, quality=95))
    assert (stored.width, stored.height, stored.jpeg_width, stored.jpeg_height) == (20, 40, 20, 40)
    for data in (stored.jpeg, stored.thumb):
        picture = open_image(data)
        assert (picture.width, picture.height) == (20, 40)
        assert pixel(picture, 10, 5)[0] > 200 > 50 > pixel(picture, 10, 35)[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_undone_like_pillow_does_it(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(8, 5), exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
    assert np.array_equal(np.asarray(open_image(data).image), np.asarray(upright))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_metadata_reaches_a_stored_byte(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "home of the SECRET person"
    exif.get_ifd(0x8825)[29] = "2020:SECRET"
    options = {"comment": b"SECRET"} if kind == "JPEG" else {}
    stored = store_image(encoded(noise(64, 64), kind, exif=exif, icc_profile=b"SECRET" * 30, **options))
    for data in (stored.jpeg, stored.thumb):
        assert b"SECRET" not in data
        assert b"Exif" not in data
        with Image.open(io.BytesIO(data)) as image:
            assert len(image.getexif()) == 0
            assert "icc_profile" not in image.info


def test_what_is_appended_to_a_picture_is_left_behind() -> None:
    payload = b"<script>alert(1)</script>PK\x03\x04"
    stored = store_image(encoded(noise(64, 64), "JPEG") + payload)
    assert payload not in stored.jpeg + stored.thumb


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [plain(32, 32, (5 * n, 0, 255 - 5 * n)) for n in range(50)]
    start = time.perf_counter()
    opened = open_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=20, lossless=True))
    assert time.perf_counter() - start < 1
    assert opened.warnings == ("frames_ignored: 49",)
    assert np.abs(np.subtract(pixel(opened), (0, 0, 255))).max() <= 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [((1000, 500), (512, 256)), ((300, 400), (256, 341)), ((160, 240), (160, 240)), ((2400, 1600), (384, 256))],
)
def test_the_shorter_side_is_256_at_most_and_nothing_is_enlarged(
    source: tuple[int, int], expected: tuple[int, int]
) -> None:
    stored = store_image(encoded(noise(*source), "JPEG"))
    assert (stored.jpeg_width, stored.jpeg_height) == expected
    assert (stored.width, stored.height) == source
    with Image.open(io.BytesIO(stored.jpeg)) as image:
        assert image.size == expected


def test_a_large_jpeg_decoded_at_a_fraction_looks_like_one_decoded_whole() -> None:
    smooth = noise(24, 18).resize((1440, 1080), Image.Resampling.BILINEAR)
    whole, quick = store_image(encoded(smooth, "PNG")), store_image(encoded(smooth, "JPEG", quality=95))
    a, b = (np.asarray(open_image(stored.jpeg).image, dtype=float) for stored in (whole, quick))
    assert np.abs(a - b).mean() < 2


def test_the_hash_is_that_of_the_source_bytes() -> None:
    import hashlib

    data = encoded(plain())
    assert store_image(data).sha256 == hashlib.sha256(data).hexdigest()


def test_storing_is_the_same_every_time() -> None:
    data = encoded(noise(700, 500), "JPEG")
    assert store_image(data) == store_image(data)
