"""What became of a foreign file's tensors: matched, missing, left over, reshaped; its heads and its preprocessing.

Plain values, free of torch, that turn into JSON and back.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from models.card import FILTERS_ONLY, Preprocess

Shape = tuple[int, ...]
HeadKind = Literal[
    "classes", "rotations", "permutations", "clusters", "counts", "projection", "decoder", "queue", "other"
]


@dataclass(frozen=True)
class Head:
    """The head that a task or a classifier put on the encoder. `kept`: it is loaded with the encoder and can be looked
    at.

    `outputs` is the number of its classes, permutations or clusters, or the width of its vector; None where its tensors
    do not show it. `tensors` are names in the file.
    """

    kind: HeadKind
    outputs: int | None
    tensors: tuple[str, ...]
    kept: bool
    words: str


@dataclass(frozen=True)
class PreprocessChoice:
    """One way that the pixels may have been prepared: a short name, why it is plausible, and what it is exactly."""

    name: str
    reason: str
    preprocess: Preprocess


@dataclass(frozen=True)
class Guess:
    """What a file's tensors may be. `architecture` and `arguments` build the encoder (models.encoders.ENCODERS).

    `keys` gives the encoder's own name of each of the file's tensors that it needs; `score` is 0..1, above .8 where
    names and shapes leave no doubt. `assumed` describes what shapes cannot show and was assumed. `preprocess` are the
    plausible preparations, the likeliest first.
    """

    architecture: str
    arguments: Mapping[str, Any]
    title: str
    score: float
    reason: str
    keys: Mapping[str, str]
    heads: tuple[Head, ...]
    preprocess: tuple[PreprocessChoice, ...]
    assumed: tuple[str, ...] = ()

    @property
    def filters_only(self) -> bool:
        return self.architecture == FILTERS_ONLY


@dataclass(frozen=True)
class Reshaped:
    """A tensor whose values were kept and whose shape was changed."""

    name: str
    shape: Shape
    to: Shape


@dataclass(frozen=True)
class WrongShape:
    """A tensor that does not fit its place; the sentence is the one of an error message.

    `kind` is its type of numbers where that is what does not fit, because weights are floating-point numbers.
    """

    name: str
    shape: Shape
    wanted: Shape
    kind: str = ""

    @property
    def sentence(self) -> str:
        if self.kind:
            return f"{self.name} is {self.kind}; weights are float32, float16, bfloat16 or float64"
        return f"{self.name}: file {'x'.join(map(str, self.shape))}, model {'x'.join(map(str, self.wanted))}"


@dataclass(frozen=True)
class Doubt:
    """A tensor with values that training does not give: `what` is "not finite", "constant" or "absurd"."""

    name: str
    what: Literal["not finite", "constant", "absurd"]
    words: str


@dataclass(frozen=True)
class LoadReport:
    """What was found out about one candidate of a file as one architecture.

    `matched` are the file's names of tensors that have their place in the encoder, of `needed` that it has; `missing`
    are the encoder's names without one; `unexpected` are the file's names without a place and without a head to belong
    to; `beside` are heads that lie outside the network's own prefix; `filled` are counters of batch norm that old files
    do not keep and that mean nothing after training.
    """

    guess: Guess
    needed: int
    matched: tuple[str, ...]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[Reshaped, ...] = ()
    wrong: tuple[WrongShape, ...] = ()
    filled: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    stripped: tuple[str, ...] = ()
    beside: tuple[Head, ...] = ()
    others: tuple[Guess, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every tensor of the encoder is there in its shape, and nothing of the file is unaccounted for."""
        return not (self.missing or self.unexpected or self.wrong)

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        if self.guess.filters_only:
            return "No architecture is known for these tensors; the filters of the first layer can be looked at."
        whole = f"{len(self.matched)} of {self.needed} tensors matched as {self.guess.title}"
        wrong = [
            f"{len(names)} {word}"
            for names, word in (
                (self.missing, "missing"),
                (self.unexpected, "unexpected"),
                (self.wrong, "in another shape"),
            )
            if names
        ]
        return f"{whole}; {', '.join(wrong)}." if wrong else f"{whole}."

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, without the names of the file's tensors under each guess (they are in `matched`)."""
        value = asdict(self)
        value |= {"fits": self.fits, "sentence": self.sentence}
        value["wrong"] = [{**asdict(item), "sentence": item.sentence} for item in self.wrong]
        for guess in (value["guess"], *value["others"]):
            guess["keys"] = len(guess["keys"])
        return value
