"""The JSON of the counting bench: the numbers that the page shows."""

from app.routes.counting.bench import Partner
from app.routes.pictures import ImageAddress
from app.services.counting.readouts import NamedCounts
from app.services.counting.service import Counted
from app.services.counting.truth import CountTruth
from app.settings import Settings
from models.answers import CurvePoint
from models.card import Reference
from models.scans.best_equations import Band, BandedEquation


def counted_json(
    checkpoint: str,
    counted: Counted,
    settings: Settings,
    *,
    page: str | None = None,
    other: Partner | None = None,
    truth: CountTruth | None = None,
    named: NamedCounts | None = None,
) -> dict[str, object]:
    """Both sides of the equation and how far they are apart; `crop` is in pixels of the stored image.

    `page` is the address of the page about this image.
    """
    answer, known = counted.answer, counted.strangers
    return {
        "whole": answer.whole.tolist(),
        "tiles": answer.tiles.tolist(),
        "sum": answer.total.tolist(),
        "summary": counted.summary(),
        "residual": {
            "per_unit": answer.per_unit.tolist(),
            "squared": answer.squared,
            "relative": answer.relative,
            "rank_among_mismatched": counted.rank.share if counted.rank else None,
        },
        "strangers": known and {"distances": known.distances.tolist(), "norms": known.norms, "known": known.known},
        "loss": _loss(counted, other, settings),
        "truth": _truth(truth),
        "named": _named(named),
        "input": {
            "mean": answer.inputs.mean,
            "contrast": answer.inputs.contrast,
            "divisor": answer.inputs.divisor,
            "side": answer.inputs.pixels.shape[1],
        },
        "active_units": counted.active,
        "crop": answer.crop,
        "kernel": counted.kernel,
        "warnings": counted.warnings,
        "links": {
            "checkpoint": settings.url(f"/api/checkpoints/{checkpoint}"),
            "page": page or settings.url(f"/checkpoints/{checkpoint}/count"),
        },
    }


def curve_json(points: tuple[CurvePoint, ...]) -> list[dict[str, object]]:
    """The counts of nested crops, by their share of the central square's area."""
    return [{"area": p.area, "total": p.total, "norm": p.norm, "box": p.box} for p in points]


def reference_json(reference: Reference | None) -> dict[str, object] | None:
    """Total counts of the checkpoint's held-out images, whole and in tiles."""
    if reference is None:
        return None
    whole, total = reference.whole.sum(axis=1), reference.total.sum(axis=1)
    return {"n": len(whole), "whole": whole.tolist(), "sum": total.tolist()}


def bands_json(scan: str | None, gallery: str | None, bands: tuple[Band, ...], settings: Settings) -> dict[str, object]:
    """The best and the worst equations among images of similar magnitude; none without a scan."""

    def at(item: BandedEquation) -> dict[str, object]:
        image = ImageAddress(settings, gallery or "", item.row).json
        numbers = {"row": item.row, "relative": item.relative, "whole": item.whole, "sum": item.total}
        return {**numbers, "links": {"image": image}}

    return {
        "scan": scan,
        "gallery": gallery,
        "bands": [
            {
                **{name: getattr(band, name) for name in ("name", "low", "high", "images", "empty", "median")},
                "best": [at(item) for item in band.best],
                "worst": [at(item) for item in band.worst],
            }
            for band in bands
        ],
    }


def _loss(counted: Counted, other: Partner | None, settings: Settings) -> dict[str, object]:
    """L = pull + push with the other image y; without one only the pull is known."""
    known: dict[str, object] = {"margin": counted.margin, "pull": counted.answer.squared, "all_zero": counted.margin}
    if other is None:
        return {**known, "push": None, "apart": None, "loss": None, "other": None}
    image = ImageAddress(settings, other.gallery, other.row).json
    return {
        **known,
        "push": other.loss.push,
        "apart": other.loss.apart,
        "loss": other.loss.loss,
        "other": {"gallery": other.gallery, "row": other.row, "links": {"image": image}},
    }


def _named(named: NamedCounts | None) -> dict[str, object] | None:
    """The counts under the names of the readout, and how good that readout is."""
    if named is None:
        return None
    return {
        "counts": {row.name: {"read": row.read, "truth": row.truth} for row in named.rows},
        "fitted_on": {"gallery": named.readout.gallery, "scenes": named.readout.fitted, "tested": named.readout.tested},
        "r2": {predictor: dict(cells) for predictor, cells in named.readout.r2.items()},
    }


def _truth(truth: CountTruth | None) -> dict[str, object] | None:
    """What is truly in the crop and its tiles, and what the oracle, the network and the edge energy count there."""
    if truth is None:
        return None
    return {
        "annotated": truth.annotated,
        "kinds": {
            line.kind: {"whole": float(line.whole), "tiles": [float(value) for value in line.tiles]}
            for line in truth.kinds
        },
        "counters": [
            {
                **{name: getattr(row, name) for name in ("name", "whole", "tiles", "ratio", "adds", "follows")},
                "sum": row.total,
                "residual": row.whole - row.total,
            }
            for row in truth.counters
        ],
        "scan": truth.scan,
        "images": truth.images,
    }
