"""Whether a checkpoint counts, as its page says it: every gate for the checkpoint and for its controls."""

from app.routes.checkpoints.card_context import CardGateLine, CardVerdict, CountsCard
from app.services.checkpoints.measures import GateRow, GateTable, gate_table
from app.services.evaluations.service import OWN, Source
from app.web.choices import Choice
from app.web.formats import number


def counts_card(sources: list[Source], source: Source | None, here: str) -> CountsCard:
    """The gates judged on `source`, with links to the other sources if there are any."""
    if source is None:
        return CountsCard("", [], None)
    gates = gate_table(source.measures)
    shown = [Choice(item.title, f"{here}?on={item.key}#counts", item.key == source.key) for item in sources]
    note = f"{gates.passed} of {gates.required} gates passed"
    return CountsCard(note, shown if len(shown) > 1 else [], _verdict(gates, source))


def first_upper(words: str) -> str:
    """The text with its first letter as a capital and all others as they are."""
    return words[:1].upper() + words[1:]


def _verdict(gates: GateTable, source: Source) -> CardVerdict:
    title = first_upper(source.title) if source.key == OWN else source.title
    before = [True, *(row.gate.required for row in gates.rows)]
    return CardVerdict(
        tone=gates.tone,
        sentence=gates.sentence,
        about=f"{title}: {source.note}.",
        warning=f"{first_upper(source.warning)}." if source.warning else "",
        columns=gates.columns,
        lines=[
            _line(row, source, aim=required and not row.gate.required)
            for row, required in zip(gates.rows, before, strict=False)
        ],
    )


def _line(row: GateRow, source: Source, *, aim: bool) -> CardGateLine:
    gate, bar = row.gate, row.cells[0].bar
    asks = gate.asks if gate.threshold is not None or bar is None else f"{gate.asks}, {number(bar)}"
    return CardGateLine(
        first_upper(gate.words), asks, _beside(source) if gate.name == "many_units" else "", row.cells, aim
    )


def _beside(source: Source) -> str:
    """The remark on the gate of active units, whose number says little alone."""
    network = source.measures.get("network", {})
    if "firing_units" not in network:
        return ""
    firing, effective = (number(network[name]["value"]) for name in ("firing_units", "participation_ratio"))
    return f"{firing} fire on more than 5 % of the images; effective number {effective}"
