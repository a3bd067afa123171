"""K-means of whitened patches: whitening against its definition, clusters against planted ones, edges from edges."""

import io

import numpy as np
import pytest
from PIL import Image

from models.filters.measures import measure, noise_medians
from models.filters.patches import kmeans, whiten, whitened_kmeans
from tests.making import photo


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_no_direction_of_whitened_patches_stands_out() -> None:
    """Variance v along a direction becomes v / (v + eps): near 1 for the strong ones, never above."""
    rng = np.random.default_rng(0)
    uneven = (rng.standard_normal((4000, 12)) * np.geomspace(6, 2, 12)).astype(np.float32)
    before, after = (np.sort(np.linalg.eigvalsh(np.cov(part.T)))[::-1] for part in (uneven, whiten(uneven)))
    assert before[0] > 3 * before[6]
    assert 0.85 * after[0] < after[6] < after[0] <= 1.001


def test_planted_directions_are_found_whatever_their_sign() -> None:
    rng = np.random.default_rng(1)
    planted = np.eye(4, dtype=np.float32)[:3]
    which = rng.integers(0, 3, 900)
    points = planted[which] * rng.choice([-2.0, 2.0], 900)[:, None] + rng.normal(0, 0.05, (900, 4))
    found = kmeans(points.astype(np.float32), 3, rng)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert (np.abs(found @ planted.T).max(axis=0) > 0.99).all()


def test_photos_give_unit_filters_smoother_than_noise_and_the_same_each_time() -> None:
    pictures = [jpeg(photo(seed)) for seed in range(40)]
    one, two = (whitened_kmeans(pictures, size=7, count=16) for _ in range(2))
    assert one.shape == (16, 3, 7, 7) and np.array_equal(one, two)
    assert np.allclose(np.sqrt(np.square(one).sum(axis=(1, 2, 3))), 1, atol=1e-5)
    assert measure(one).medians()["tv_ratio"] < noise_medians(one.shape)["tv_ratio"] - 0.1


def test_too_few_patches_are_told() -> None:
    with pytest.raises(ValueError, match="too few for 64"):
        whitened_kmeans([jpeg(photo(0))], size=11, count=64)
    with pytest.raises(ValueError, match="0 patches"):
        whitened_kmeans([], size=11, count=2)
