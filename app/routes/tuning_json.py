"""Tuning curves as JSON."""

from app.services.scans.tuning import Correlated, Tuning
from app.settings import Settings
from models.counting.partial import Follows
from models.counting.sweeps import Curves, Estimate
from models.counting.tuning import Effect, Panel

Shape = dict[str, object]


def tuning_json(found: Tuning, settings: Settings) -> Shape:
    """Everything the page is made from: `values` of a sweep's series are means over its seeds, by level."""
    names = [*found.series, *(f"unit {unit}" for unit in found.units)]
    here = f"/api/scans/{found.record.slug}"
    return {
        "scan": found.record.slug,
        "sentences": list(found.sentences()),
        "series": names,
        "active_units": list(found.units),
        "sweeps": {name: _sweep(panel, names) for name, panel in found.panels.items()},
        "empty_ground": {name: estimate_json(one.empty) for name, one in zip(names, found.responses, strict=True)},
        "mixed": {"n": found.mixed, "correlations": [_correlated(one) for one in found.correlated]},
        "random_init": found.random_scan,
        "links": {
            "self": settings.url(f"{here}/tuning"),
            "page": settings.url(f"/scans/{found.record.slug}/tuning"),
            "scan": settings.url(here),
            "gallery": settings.url(f"/api/galleries/{found.record.gallery}"),
        },
    }


def estimate_json(found: Estimate | None) -> Shape | None:
    """A value and its 95 % interval."""
    return None if found is None else {"value": found.value, "interval": [found.low, found.high]}


def _sweep(panel: Panel, names: list[str]) -> Shape:
    return {
        "levels": list(panel.sweep.levels),
        "seeds": len(panel.sweep.seeds),
        "rows": panel.sweep.rows.tolist(),
        "series": {name: _series(panel.curves, panel.effects[place], place) for place, name in enumerate(names)},
    }


def _series(curves: Curves, effect: Effect, place: int) -> Shape:
    return {
        "values": curves.mean[:, place].tolist(),
        "low": curves.low[:, place].tolist(),
        "high": curves.high[:, place].tolist(),
        "rho": estimate_json(effect.rho),
        "explained": effect.explained,
        "power": estimate_json(effect.power),
    }


def _correlated(found: Correlated) -> Shape:
    return {
        "name": found.name,
        "unit": found.unit,
        "n": found.n,
        **{name.replace(" ", "_"): _follows(one) for name, one in found.follows.items()},
    }


def _follows(found: Follows) -> Shape:
    return {"spearman": estimate_json(found.alone), "partial": estimate_json(found.partial)}
