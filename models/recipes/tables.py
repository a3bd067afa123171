"""The tables of settings in docs/tasks.md, written from the recipes; `make docs` renews them. Free of torch."""

import re
from dataclasses import fields
from pathlib import Path

from models.recipes import RECIPES
from models.recipes.base import ImageConfig

COLUMNS = ("paper", "small")
BLOCK = re.compile(r"<!-- settings: (\w+) -->\n.*?<!-- end -->\n", re.DOTALL)


def table(task: str) -> str:
    """The settings of a task as Markdown: the paper's values, those of the small recipe, what they are; and below it
    what every other recipe sets otherwise.
    """
    paper, small = RECIPES[task]["paper"], RECIPES[task]["small"]
    lines = ["| setting | `paper` | `small` | what |", "|---|---|---|---|"]
    for item in fields(paper):
        values = (str(getattr(config, item.name)) for config in (paper, small))
        lines.append(f"| `{item.name}` | {' | '.join(values)} | {item.metadata['help']} |")
    others = [_difference(name, config, small) for name, config in RECIPES[task].items() if name not in COLUMNS]
    return "\n".join([*lines, *(["", *others] if others else [])]) + "\n"


def _difference(name: str, config: ImageConfig, small: ImageConfig) -> str:
    pairs = ((item.name, getattr(config, item.name), getattr(small, item.name)) for item in fields(config))
    told = ", ".join(f"`{setting}` {own}" for setting, own, theirs in pairs if own != theirs)
    return f"- `{name}` is `small` with {told}."


def renewed(text: str) -> str:
    """The text of the document with every table as it should be. Raises KeyError for a task that is not there."""
    return BLOCK.sub(lambda found: f"<!-- settings: {found[1]} -->\n{table(found[1])}<!-- end -->\n", text)


def renew(path: Path) -> None:
    """Write the tables of a document anew."""
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
