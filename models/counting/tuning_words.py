"""Sentences about tuning curves, which claim no more than the intervals allow. Free of torch."""

from models.counting.tuning import CONTRAST, NUMBER, OVERLAP, SIZE, Response, difference
from models.statistics import Estimate


def sentence(found: Response, *, name: str = "the total", counts: bool = True) -> str:
    """What the numbers show, within their intervals; `counts` adds what is counted on empty ground."""
    parts = [f"{name} {_number_or_size(found)}", *_also(found)]
    if counts and found.empty is not None:
        parts.append(f"empty ground counts {_said(found.empty, 1)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def beside(found: Response, control: Response, name: str) -> str:
    """How number and size separate the total from a control on the same scenes; empty where they are not known."""
    pairs = [(one, found.rho(sweep), control.rho(sweep)) for one, sweep in (("size", SIZE), ("number", NUMBER))]
    known = [(one, mine, other) for one, mine, other in pairs if mine is not None and other is not None]
    if len(known) < 2:
        return ""
    apart = [one for one, mine, other in known if difference(mine, other).sign]
    there = ", ".join(f"ρ {_said(other)} with {one}" for one, _, other in known)
    if not apart:
        return f"By these sweeps the total cannot be told from {name}, which has {there}."
    return f"The total differs from {name} in how it follows {' and '.join(apart)}: {name} has {there}."


def more(found: Response) -> int:
    """1 where size is followed more than number, -1 where less, 0 where that is undecided.

    Decided by rho; where rho leaves it open, as for values that follow both perfectly, by the power.
    """
    gaps = [_gap(found.rho(SIZE), found.rho(NUMBER)), _gap(found.power(SIZE), found.power(NUMBER))]
    return next((sign for sign in gaps if sign), 0) if gaps[0] * gaps[1] >= 0 else 0


def _gap(first: Estimate | None, second: Estimate | None) -> int:
    return 0 if first is None or second is None else difference(first, second).sign


def _number_or_size(found: Response) -> str:
    number, size = found.rho(NUMBER), found.rho(SIZE)
    if number is None or size is None:
        return "has no sweeps where number and object size are told apart"
    if found.effects[NUMBER].explained is None and found.effects[SIZE].explained is None:
        return "moves with neither number nor object size"
    return (
        f"{_verdict(number, size, more(found))} (ρ {_said(size)} with size, {_said(number)} with number at fixed area)"
    )


def _verdict(number: Estimate, size: Estimate, gap: int) -> str:
    if min(number.sign, size.sign) < 0:
        return _falling(number.sign, size.sign)
    if gap > 0 and size.sign:
        return "follows object size more than number"
    if gap < 0 and number.sign:
        return "follows number more than object size"
    if number.sign and size.sign:
        return "follows both number and object size, and these scenes do not settle which more"
    if not number.sign and not size.sign:
        return "cannot be shown to follow number or object size"
    followed, other = ("number", "object size") if number.sign else ("object size", "number")
    return f"follows {followed}, and these scenes do not settle whether more than {other}"


def _falling(number: int, size: int) -> str:
    signs = (("number", number), ("object size", size))
    up, down = ([name for name, sign in signs if sign == way] for way in (1, -1))
    return f"{f'rises with {up[0]} and ' if up else ''}falls with {' and '.join(down)}"


def _also(found: Response) -> list[str]:
    moved = [(name, rho) for name in (CONTRAST, OVERLAP) if (rho := found.rho(name)) is not None and rho.sign]
    words = [f"{'rises' if rho.sign > 0 else 'falls'} with {name} (ρ {_said(rho)})" for name, rho in moved]
    return [f"it {' and '.join(words)}"] if words else []


def _said(found: Estimate, digits: int = 2) -> str:
    texts = (f"{number:.{digits}f}" for number in (found.value, found.low, found.high))
    value, low, high = (text.removeprefix("-") if float(text) == 0 else text.replace("-", "−") for text in texts)
    return f"{value} [{low}, {high}]"
