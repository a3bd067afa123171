"""Output of the command line: lines, tables, progress bars and errors."""

import json
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.console.doctor import Check
    from app.console.foreground import JobProgress

MARKS = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def say(text: str) -> None:
    """Print a line; brackets in it are never taken for markup."""
    out.print(text, markup=False)


def complain(text: str) -> None:
    """Print an error on standard error."""
    err.print(text, markup=False, style="red")


def data(value: object) -> None:
    """Print one JSON value, for scripts."""
    out.file.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; columns that hold only numbers are aligned to the right."""
    shown = [[str(cell) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        numbers = all(_is_number(row[place]) for row in shown) and bool(shown)
        grid.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in shown:
        grid.add_row(*(cell.replace("[", r"\[") for cell in row))
    out.print(grid)


def check(result: "Check") -> None:
    """Print one line of `tessera doctor`."""
    out.print(f"{MARKS[result.status]}  [bold]{result.name}[/]: ", end="")
    out.print(result.message, markup=False)


@contextmanager
def bar(title: str, *, quiet: bool) -> "Iterator[Callable[[JobProgress], None]]":
    """A progress bar on standard error; yields the function that updates it, which does nothing where `quiet`."""
    if quiet:
        yield lambda _progress: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[extra]}"), console=err, transient=True) as bars:
        number = bars.add_task(title, total=None, extra="queued")

        def show(progress: "JobProgress") -> None:
            bars.update(number, completed=progress.step, total=progress.total, extra=_extra(progress))

        yield show


def _extra(progress: "JobProgress") -> str:
    if progress.state != "running":
        return progress.state
    rate = [f"{progress.rate:.0f} {progress.unit}/s"] if progress.rate else []
    return "  ".join([*rate, *(f"{name} {value:.4g}" for name, value in progress.metrics.items())])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("", "-")
    return True
