"""k-means: means move to what they got, inertia never rises, empty clusters are filled."""

from itertools import pairwise

import numpy as np
import pytest

from models.clusters.kmeans import TooManyClusters, assign, first_centres, kmeans, unit
from models.clusters.measures import against_labels, agreement, nmi, purity, spread
from models.clusters.space import BadSpace, fit_space


def blobs(k: int = 6, each: int = 40, dimension: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 10, (k, dimension))
    labels = np.repeat(np.arange(k), each)
    return (middles[labels] + rng.normal(0, 0.5, (k * each, dimension))).astype(np.float32), labels


def fitted(points: np.ndarray, k: int, **options: object) -> tuple[np.ndarray, list[float]]:
    spherical = bool(options.get("spherical", False))
    centres, inertia = first_centres(points, k, seed=1, spherical=spherical), []
    for step in kmeans(points, centres, iterations=30, seed=1, spherical=spherical):
        centres = step.centres
        inertia.append(step.inertia)
    return centres, inertia


def test_two_pairs_of_points_end_in_their_means() -> None:
    points = np.array([[0, 0], [0, 2], [10, 0], [10, 2]], dtype=np.float32)
    steps = list(kmeans(points, points[[0, 2]].copy(), iterations=10, seed=0))
    assert steps[-1].centres.tolist() == [[0, 1], [10, 1]]
    assert [step.inertia for step in steps] == [8.0, 4.0]  # 0 + 4 + 0 + 4, then four times 1; nothing moves: ended


@pytest.mark.parametrize("spherical", [False, True])
def test_inertia_never_rises(spherical: bool) -> None:
    points = np.random.default_rng(3).normal(0, 1, (500, 16)).astype(np.float32)
    points = unit(points) if spherical else points
    _, inertia = fitted(points, 20, spherical=spherical)
    assert len(inertia) > 5
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(inertia))


def test_a_label_is_the_nearest_stored_centre() -> None:
    points = np.random.default_rng(4).normal(0, 1, (9000, 8)).astype(np.float32)
    centres, _ = fitted(points, 50)
    labels, squared = assign(points, centres)
    chosen = np.random.default_rng(5).choice(len(points), 90, replace=False)
    exact = np.square(points[chosen, None].astype(np.float64) - centres[None]).sum(axis=2)
    assert (labels[chosen] == exact.argmin(axis=1)).all()
    assert squared[chosen] == pytest.approx(exact.min(axis=1), rel=1e-3, abs=1e-4)


def test_separated_groups_are_found_whatever_the_seed() -> None:
    points, labels = blobs()
    centres, _ = fitted(points, 12)
    assert purity(assign(points, centres)[0], labels) == 1.0


def test_an_empty_cluster_is_put_beside_a_large_one() -> None:
    points = np.concatenate([np.zeros((30, 2)), np.ones((2, 2))]).astype(np.float32)
    far = np.array([[0, 0], [1, 1], [500, 500]], dtype=np.float32)
    first = next(kmeans(points, far, iterations=1, seed=0))
    assert first.reseeded == 1
    assert np.abs(first.centres[2]).max() < 2


def test_the_same_seed_gives_the_same_centres() -> None:
    points, _ = blobs(seed=8)
    assert np.array_equal(fitted(points, 9)[0], fitted(points, 9)[0])
    assert not np.array_equal(first_centres(points, 9, seed=1), first_centres(points, 9, seed=2))


def test_spherical_centres_have_length_one() -> None:
    points = unit(blobs()[0])
    centres, _ = fitted(points, 6, spherical=True)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(np.ones(6), abs=1e-6)


def test_more_clusters_than_images_are_refused() -> None:
    with pytest.raises(TooManyClusters, match="11 clusters need at least 11 images"):
        first_centres(np.zeros((10, 2), np.float32), 11, seed=0)


def test_whitened_embeddings_have_the_identity_as_covariance() -> None:
    rng = np.random.default_rng(0)
    data = (rng.normal(0, 1, (4000, 6)) @ rng.normal(0, 1, (6, 6))).astype(np.float32)
    space = fit_space(data, normalise=False, pca=4, whiten=True)
    assert np.cov(space.apply(data).T) == pytest.approx(np.eye(4), abs=0.02)
    turned = fit_space(data, normalise=True, pca=4, whiten=True).apply(data)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.ones(4000), abs=1e-5)


def test_pca_keeps_the_directions_of_largest_variance() -> None:
    data = np.random.default_rng(0).normal(0, [10, 1, 5], (2000, 3)).astype(np.float32)
    space = fit_space(data, normalise=False, pca=2)
    assert space.matrix is not None
    assert np.abs(space.matrix).argmax(axis=0).tolist() == [0, 2]
    with pytest.raises(BadSpace):
        fit_space(data, normalise=False, pca=4)


def test_the_spread_of_sizes_by_hand() -> None:
    found = spread(np.array([2, 1, 1, 0]))
    assert found["empty"] == 1 and found["largest_share"] == 0.5
    assert found["entropy_bits"] == pytest.approx(1.5) and found["most_bits"] == 2.0


def test_purity_and_agreement_by_hand() -> None:
    clusters, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([5, 5, 4, 4, 4, 4])
    assert purity(clusters, labels) == pytest.approx(5 / 6)
    # Pairs: 4 together in both of 15; 6 together in clusters, 7 in labels: (4 - 2.8) / (6.5 - 2.8).
    assert agreement(clusters, labels)["ari"] == pytest.approx((4 - 2.8) / (6.5 - 2.8))
    assert agreement(labels, labels) == {"ari": 1.0, "ami": pytest.approx(1.0)}


def test_normalised_mutual_information_by_hand() -> None:
    assert nmi(np.array([0, 0, 1, 1]), np.array([7, 7, 3, 3])) == pytest.approx(1.0)
    assert nmi(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(0.0)
    # Halves against quarters: ln 2 shared, over the mean of ln 2 and ln 4.
    assert nmi(np.array([0, 0, 1, 1]), np.arange(4)) == pytest.approx(2 / 3)


def test_measures_stand_beside_a_random_assignment() -> None:
    points, labels = blobs()
    found = against_labels(assign(points, fitted(points, 12)[0])[0], np.where(np.arange(240) < 200, labels, -1))
    assert found is not None
    assert found["images"] == 200 and found["purity"] == 1.0
    assert abs(found["random"]["ari"]) < 0.05 and abs(found["random"]["ami"]) < 0.05
    assert found["random"]["purity"] > 1 / 6  # a random assignment is not at chance in purity: that is why it is shown
    assert against_labels(np.zeros(4, np.int32), np.array([1, 1, -1, 1])) is None
