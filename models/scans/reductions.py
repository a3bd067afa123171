"""Reduce maps to numbers on the device: maxima with their place, pooled embeddings, and a layer's unit table."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.scans import maxima as scan_maxima
from models.scans.files import LayerPart
from models.scans.unit_tables import LOG_EDGES, UnitTable

HALF_MAX = 65504.0
PARTS = 8  # that a bf16 mean is summed in
_LAST_ROW = 2**31 - 1


class NotFinite(ValueError):
    """A layer answered NaN or infinity."""

    code = "not_finite"


@dataclass(frozen=True)
class Reduced:
    """The numbers kept of a layer's values for B images, (B, U) each; `ys`, `xs` are -1 for layers without a map."""

    maxima: Tensor
    ys: Tensor
    xs: Tensor
    pooled: Tensor


def reduce_map(maps: Tensor) -> Reduced:
    """(B, U, h, w) -> its maxima, the first cell in reading order that has them, and the mean over space."""
    maxima, places = _maximum(maps)
    width = maps.shape[3]
    ys, xs = places // width, places % width
    return Reduced(
        maxima.float(), ys.to(torch.int16), xs.to(torch.int16), _mean(maps).clamp_(-HALF_MAX, HALF_MAX).half()
    )


def reduce_vector(values: Tensor, *, keep_float: bool) -> Reduced:
    """(B, U) -> itself; count vectors keep float32."""
    maxima = values.float()
    none = torch.full_like(maxima, -1, dtype=torch.int16)
    return Reduced(maxima, none, none, maxima if keep_float else maxima.clamp(-HALF_MAX, HALF_MAX).half())


def _maximum(maps: Tensor) -> tuple[Tensor, Tensor]:
    if maps.device.type == "cpu":  # 2 ms where a maximum over the flattened map takes 15
        maxima, places = F.adaptive_max_pool2d(maps, 1, return_indices=True)
        return maxima.flatten(1), places.flatten(1)
    return maps.flatten(2).max(dim=2)


def _mean(maps: Tensor) -> Tensor:
    """The mean over space in float32: (B, U, h, w) -> (B, U)."""
    if maps.device.type != "cpu" or maps.dtype != torch.bfloat16:
        return maps.mean(dim=(2, 3), dtype=torch.float32)
    # A product with ones takes a tenth of the time of the sum, but rounds what it returns to bf16: sum several parts.
    cells = maps.shape[2] * maps.shape[3]
    part = torch.arange(cells, device=maps.device) * PARTS // cells
    chosen = (part == torch.arange(PARTS, device=maps.device)[:, None]).to(maps.dtype)  # (PARTS, cells)
    sums = chosen @ maps.permute(0, 2, 3, 1).flatten(1, 2)  # (B, cells, U) -> (B, PARTS, U)
    return sums.float().sum(dim=1) / cells


class LayerRows:
    """One layer's numbers for the rows of a shard, filled in any order."""

    def __init__(self, layer: str, rows: int, first: Reduced) -> None:
        self.layer = layer
        self.all = Reduced(*(part.new_zeros((rows, part.shape[1])) for part in _parts(first)))

    def put(self, positions: Tensor, part: Reduced) -> None:
        for whole, some in zip(_parts(self.all), _parts(part), strict=True):
            whole.index_copy_(0, positions, some)

    def result(self, first_row: int, top: int) -> LayerPart:
        """Embeddings, unit table and maxima; rows are counted from `first_row`. Raises NotFinite."""
        if not bool(torch.isfinite(self.all.maxima).all()):
            raise NotFinite(f"layer {self.layer} answers NaN or infinity for an image of this gallery")
        table = tabulate(self.all, first_row=first_row, top=top)
        return LayerPart(self.all.pooled.cpu().numpy(), table, self._maxima())

    def _maxima(self) -> scan_maxima.Maxima | None:
        """Of a layer with a map; the values of others are their embeddings."""
        if not bool((self.all.xs >= 0).any()):
            return None
        return scan_maxima.storable(*(part.cpu().numpy() for part in (self.all.maxima, self.all.ys, self.all.xs)))


def _parts(reduced: Reduced) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return reduced.maxima, reduced.ys, reduced.xs, reduced.pooled


def tabulate(numbers: Reduced, *, first_row: int, top: int) -> UnitTable:
    """The unit table of n images (n, U) whose rows in the gallery begin at `first_row`."""
    maxima = numbers.maxima + 0.0  # no negative zeros
    images = len(maxima)
    best = _order_keys(maxima).topk(min(top, images), dim=0).indices  # (k, U)

    def ranked(values: Tensor) -> Tensor:
        return values.gather(0, best).T.contiguous().cpu()  # (n, U) -> (U, k)

    return UnitTable(
        images=images,
        values=ranked(maxima).numpy(),
        rows=(best.T + first_row).to(torch.int32).contiguous().cpu().numpy(),
        ys=ranked(numbers.ys).numpy(),
        xs=ranked(numbers.xs).numpy(),
        maximum=maxima.amax(dim=0).cpu().numpy(),
        total=maxima.double().sum(dim=0).cpu().numpy(),
        active=(maxima > 0).sum(dim=0).cpu().numpy(),
        histogram=_histogram(maxima).cpu().numpy(),
    )


def _order_keys(maxima: Tensor) -> Tensor:
    """Distinct integers whose descending order is (value descending, row ascending): `topk` itself is not stable."""
    bits = maxima.view(torch.int32).long()
    bits ^= (bits >> 63) & _LAST_ROW
    rows = torch.arange(len(maxima), device=maxima.device)[:, None]
    return (bits << 32) | (_LAST_ROW - rows)


def _histogram(maxima: Tensor) -> Tensor:
    """(n, U) -> (U, 65) counts over unit_tables.EDGES."""
    edges = torch.as_tensor(LOG_EDGES, dtype=torch.float32, device=maxima.device)
    bins = torch.bucketize(maxima, edges, right=True).clamp_(1, len(edges) - 1)
    bins *= maxima > 0
    units = torch.arange(maxima.shape[1], device=maxima.device) * len(edges)
    counts = torch.bincount((bins + units).flatten(), minlength=maxima.shape[1] * len(edges))
    return counts.view(-1, len(edges)).to(torch.int32)
