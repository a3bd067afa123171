"""The JSON of probes: a table, the difference of two rows, and what papers report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from urllib.parse import urlencode

from app.services.results import published_results as published
from app.services.results.service import MeasuredRow, Results, TableChoice
from app.settings import Settings
from models.probes.comparison import Difference, Differences
from models.probes.results import How, ProbeScore

Gains = Mapping[str, Mapping[How, Difference]]


def results_json(
    choices: Sequence[TableChoice],
    found: Results | None,
    gains: Gains,
    compared: Differences | None,
    settings: Settings,
) -> dict[str, object]:
    """All that the page shows, as JSON."""
    return {
        "tables": [
            {
                "gallery": one.gallery,
                "protocol": one.protocol.key,
                "words": one.words,
                "checkpoints": one.checkpoints,
                "links": table_links(one, settings),
            }
            for one in choices
        ],
        "table": None if found is None else _table(found, gains, settings),
        "comparison": None if compared is None else _comparison(compared),
        "published": {
            "voc": [asdict(row) for row in published.VOC],
            "linear": [asdict(row) for row in published.LINEAR],
            "notes": dict(published.FOOTNOTES),
        },
    }


def score_json(score: ProbeScore | None) -> dict[str, object] | None:
    """A score with its interval, its images and its seeds."""
    if score is None:
        return None
    seeds = list(score.seeds)
    return {
        "value": score.value,
        "interval": [score.low, score.high],
        "n": score.n,
        "spread": score.spread,
        "seeds": seeds,
    }


def _table(found: Results, gains: Gains, settings: Settings) -> dict[str, object]:
    about = found.about
    return {
        "gallery": found.choice.gallery,
        "protocol": {"key": found.choice.protocol.key, **asdict(found.choice.protocol)},
        "side": about.side,
        "measure": about.measure,
        "part": about.part,
        "classes": list(about.classes),
        "images": {"learned": about.learned, "tested": about.tested},
        "chance": about.chance,
        "columns": {how: [column.layer for column in group] for how, group in found.columns.items()},
        "rows": [_row(row, found, gains.get(row.probe.row), settings) for row in found.rows],
        "links": table_links(found.choice, settings),
    }


def _row(
    row: MeasuredRow, found: Results, gain: Mapping[How, Difference] | None, settings: Settings
) -> dict[str, object]:
    probe = row.probe
    scores = {
        how: {column.layer: score_json(row.score(column)) for column in group} if not row.whole else None
        for how, group in found.columns.items()
    }
    whole = {how: score_json(row.score(group[0])) for how, group in found.columns.items() if group}
    links = {} if probe.checkpoint is None else {"checkpoint": settings.url(f"/api/checkpoints/{probe.checkpoint}")}
    return {
        "row": probe.row,
        "name": probe.name,
        "checkpoint": probe.checkpoint,
        "architecture": probe.architecture,
        "warning": row.warning or None,
        "frozen": probe.before == probe.after,
        "dimensions": {layer.name: layer.dims for layer in probe.layers},
        "scores": scores,
        "whole": whole if row.whole else None,
        "controls": list(probe.controls),
        "less_untrained": None if gain is None else {how: _difference(line) for how, line in gain.items()},
        "seconds": probe.seconds,
        "links": links,
    }


def _comparison(found: Differences) -> dict[str, object]:
    return {
        "a": found.first.row,
        "b": found.second.row,
        "same_backbone": found.same_backbone,
        "differences": [_difference(line) for line in found.lines],
        "best": {how: _difference(line) for how, line in found.best.items()},
    }


def _difference(line: Difference) -> dict[str, object]:
    found = line.estimate
    return {
        "how": line.how,
        "a": line.first,
        "b": line.second,
        "value": found.value,
        "interval": [found.low, found.high],
        "n": line.n,
        "beyond_chance": line.beyond_chance,
        "mcnemar": None if line.test is None else asdict(line.test),
    }


def table_links(choice: TableChoice, settings: Settings) -> dict[str, str]:
    """The addresses of the JSON, the page and the CSV of one table."""
    query = urlencode({"gallery": choice.gallery, "protocol": choice.protocol.key})
    return {
        "self": settings.url(f"/api/results?{query}"),
        "page": settings.url(f"/results?{query}"),
        "csv": settings.url(f"/api/results.csv?{query}"),
    }
