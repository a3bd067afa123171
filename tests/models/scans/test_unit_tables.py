"""Unit tables: exact order with ties, parts that merge into the whole, histograms that add up."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.scans.reductions import LayerRows, NotFinite, Reduced, reduce_map, reduce_vector, tabulate
from models.scans.unit_tables import EDGES, UnitTable, from_bytes, merge, order_keys, to_bytes

LEVELS = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0])  # few levels: ties everywhere, as bf16 makes them


def numbers(values: np.ndarray, first_row: int = 0) -> Reduced:
    """Values (n, U) with positions that tell the row, so that a mixed-up position is seen."""
    rows = torch.arange(len(values), dtype=torch.int16)[:, None].expand(values.shape) + first_row
    maxima = torch.as_tensor(values, dtype=torch.float32)
    return Reduced(maxima, rows.contiguous(), (rows + 1).contiguous(), maxima.half())


def naive_top(values: np.ndarray, top: int) -> np.ndarray:
    """Rows by (value descending, row ascending), unit by unit: (U, k)."""
    return np.array(
        [sorted(range(len(values)), key=lambda row: (-values[row, u], row))[:top] for u in range(values.shape[1])]
    )


@given(
    st.lists(st.lists(LEVELS, min_size=3, max_size=3), min_size=1, max_size=40),
    st.lists(st.integers(1, 39), max_size=4),
    st.integers(1, 12),
)
def test_merged_parts_are_the_same_as_one_pass_also_with_ties(
    rows: list[list[float]], cuts: list[int], top: int
) -> None:
    values = np.array(rows, dtype=np.float32)
    starts = sorted({0, *(cut for cut in cuts if cut < len(values))})
    pieces = [values[a:b] for a, b in zip(starts, [*starts[1:], len(values)], strict=True)]
    parts = [tabulate(numbers(p, a), first_row=a, top=top) for a, p in zip(starts, pieces, strict=True)]
    merged, once = merge(parts, top=top), tabulate(numbers(values), first_row=0, top=top)
    assert np.array_equal(merged.rows, naive_top(values, top))
    for name in ("images", "values", "rows", "ys", "xs", "maximum", "active", "histogram"):
        assert np.array_equal(getattr(merged, name), getattr(once, name)), name
    assert np.allclose(merged.total, once.total)
    assert np.array_equal(merged.ys, merged.rows) and np.array_equal(merged.xs, merged.rows + 1)


def test_keys_sort_by_value_then_by_the_earlier_row() -> None:
    values = np.array([-1.0, -0.0, 0.0, 0.0, 2.5, 2.5, 3e38], dtype=np.float32)
    rows = np.array([9, 4, 3, 5, 8, 7, 2])
    order = np.argsort(-order_keys(values, rows))
    assert rows[order].tolist() == [2, 7, 8, 3, 4, 5, 9]


def test_the_histogram_holds_every_image_once_and_silence_apart() -> None:
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(0, 3, (500, 4)), 0).astype(np.float32)
    table = tabulate(numbers(values), first_row=0, top=10)
    assert (table.histogram.sum(axis=1) == 500).all()
    assert np.array_equal(table.histogram[:, 0], (values == 0).sum(axis=0))
    for unit in range(4):
        firing = values[values[:, unit] > 0, unit].astype(np.float64)
        assert np.array_equal(table.histogram[unit, 1:], np.histogram(firing, EDGES[1:])[0])
    assert np.allclose(table.mean, values.mean(axis=0))
    assert np.allclose(table.share_active, (values > 0).mean(axis=0))


def test_values_outside_the_edges_go_to_the_first_and_the_last_bin() -> None:
    table = tabulate(numbers(np.array([[1e-9], [1e9], [0.0]], dtype=np.float32)), first_row=0, top=3)
    assert table.histogram[0].nonzero()[0].tolist() == [0, 1, 64]


def test_a_unit_that_never_fires_is_dead() -> None:
    values = np.zeros((6, 2), dtype=np.float32)
    values[4, 1] = 1e-12
    assert tabulate(numbers(values), first_row=0, top=3).dead.tolist() == [True, False]


def test_a_table_survives_its_file() -> None:
    table = tabulate(numbers(np.eye(5, dtype=np.float32)), first_row=7, top=3)
    again: UnitTable = from_bytes(to_bytes(table))
    assert again.images == 5 and np.array_equal(again.rows, table.rows)
    assert again.rows[0].tolist() == [7, 8, 9]  # the rest of unit 0 are ties at zero, in row order


def test_a_map_is_reduced_to_its_first_maximum_and_its_mean() -> None:
    maps = torch.zeros(1, 2, 3, 4)
    maps[0, 0, 1, 2] = maps[0, 0, 2, 0] = 5.0
    maps[0, 1, 2, 3] = 1.5
    reduced = reduce_map(maps)
    assert reduced.maxima.tolist() == [[5.0, 1.5]]
    assert (reduced.ys.tolist(), reduced.xs.tolist()) == ([[1, 2]], [[2, 3]])
    assert np.allclose(reduced.pooled.float(), [[10 / 12, 1.5 / 12]], rtol=1e-3)


def test_the_mean_of_a_bf16_map_is_about_as_exact_as_its_half_precision_file() -> None:
    maps = torch.rand(4, 32, 27, 27, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    maps = maps.contiguous(memory_format=torch.channels_last)
    exact = maps.double().mean(dim=(2, 3))
    assert ((reduce_map(maps).pooled - exact).abs() / exact).max() < 2e-3


def test_vectors_have_no_place_and_counts_keep_their_precision() -> None:
    values = torch.tensor([[0.1234567]])
    counts = reduce_vector(values, keep_float=True)
    assert counts.ys.tolist() == [[-1]] and counts.pooled.dtype == torch.float32
    assert reduce_vector(values, keep_float=False).pooled.dtype == torch.float16


def test_a_layer_that_answers_nan_is_named() -> None:
    rows = LayerRows("conv3", 1, numbers(np.zeros((1, 1), dtype=np.float32)))
    rows.put(torch.tensor([0]), numbers(np.array([[np.nan]], dtype=np.float32)))
    try:
        rows.result(0, 10)
    except NotFinite as error:
        assert "conv3" in str(error)
    else:
        raise AssertionError("NaN went through")
