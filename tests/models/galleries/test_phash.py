"""Copies of an image keep its perceptual hash; other images do not share it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from models.galleries.images import store_image
from models.galleries.phash import FEATURELESS, NEAR, differing, near_any, phash, phashes
from models.galleries.sources import Item
from models.samples.photos import SampleSource
from tests.making import photo


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    sink = io.BytesIO()
    image.convert("RGB").save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@pytest.fixture(scope="module")
def crops() -> list[tuple[str, bytes]]:
    """Every sixth crop of the sample photos with its source."""
    source = SampleSource()
    items = [item for item in source.items() if isinstance(item, Item)][::6]
    return [(str(item.source), store_image(source.load(item).data).jpeg) for item in items]


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def brighter(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.2)


@pytest.mark.parametrize(("change", "quality"), [(None, 40), (half, 85), (brighter, 85)])
def test_copies_that_were_saved_anew_resized_or_brightened_are_found(
    crops: list[tuple[str, bytes]], change: object, quality: int
) -> None:
    found = 0
    for _, original in crops:
        image = Image.open(io.BytesIO(original))
        copy = change(image) if callable(change) else image
        found += int(differing(phash(original), phashes([jpeg(copy, quality)]))[0]) <= NEAR
    assert found >= 0.95 * len(crops)


def test_different_photos_are_never_copies_and_overlapping_crops_hardly_ever(crops: list[tuple[str, bytes]]) -> None:
    hashes = phashes(content for _, content in crops)
    sources = np.array([source for source, _ in crops])
    near = np.array([differing(int(one), hashes) <= NEAR for one in hashes])
    np.fill_diagonal(near, False)
    same = sources[:, None] == sources[None]
    assert not near[~same].any()
    assert near[same].mean() < 0.01


def test_an_image_that_shows_nothing_is_a_copy_of_nothing() -> None:
    flat = [phash(jpeg(Image.new("RGB", (64, 64), colour))) for colour in ("white", "navy")]
    assert flat == [FEATURELESS, FEATURELESS]
    hashes = np.array(flat, dtype=np.uint64)
    assert differing(flat[0], hashes).tolist() == [64, 64]
    assert not near_any(hashes, hashes).any()


def test_the_number_of_bits_is_counted() -> None:
    hashes = np.array([0b1111, 0b0110, 2**63 + 0b1111, 1], dtype=np.uint64)
    assert differing(0b1111, hashes).tolist() == [0, 2, 1, 3]
    assert near_any(hashes, hashes[:1], bits=1).tolist() == [True, False, True, False]


def test_an_imported_image_carries_the_hash_of_its_stored_jpeg() -> None:
    stored = store_image(jpeg(photo(3)))
    assert stored.phash == phash(stored.jpeg) != FEATURELESS
