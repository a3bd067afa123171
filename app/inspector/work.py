"""The work of the inspector's children, by kind of question; the only part of the inspector that imports torch."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from models.card import CheckpointChanged, NotACheckpoint, Preprocess, preprocess_of
from models.encoders.timm_network import TimmMissing
from models.foreign.convert import BadPreprocess, NonFiniteWeights, WeightsOrigin, convert_file
from models.foreign.first_filters import first_filters
from models.foreign.inspecting import inspect
from models.foreign.mapping import DoesNotFit, best, report
from models.foreign.named import named
from models.foreign.published_names import LibraryWeights
from models.foreign.published_weights import UnknownWeights, published_weights
from models.foreign.recognise import recognise
from models.foreign.report import Guess, LoadReport
from models.foreign.weights import Inspection, UnreadableWeights, WeightsCandidate
from models.foreign.with_preprocessing import reprepared

REPORTED: Final = 8  # candidates of a file that are compared with architectures when it is inspected

torch.set_num_threads(1)


def look(question: Mapping[str, Any]) -> dict[str, Any]:
    """The inspection of the file `path`, of at most `limit` bytes, and what its weights would become.

    For weights that a library publishes, `library` has what it says about them.
    """
    found = inspect(Path(question["path"]), limit=question["limit"])
    library = _library(question)
    reports = {it.name: _found(it, found, library) for it in found.plausible[:REPORTED]}
    return {
        "inspection": found.as_json(),
        "reports": {name: report.as_json() for name, report in reports.items() if report is not None},
        "filters": first_filters(Path(question["path"]), found, tuple(reports)),
    }


def compare(question: Mapping[str, Any]) -> dict[str, Any]:
    """What a candidate's weights would become in the architecture that a person names."""
    inspection = Inspection.from_json(question["inspection"])
    candidate = inspection.candidate(question["candidate"])
    return {"report": _report(candidate, inspection, question["architecture"], _library(question)).as_json()}


def convert(question: Mapping[str, Any]) -> dict[str, Any]:
    """Write the checkpoint into `folder`; the file must be the one that was inspected."""
    inspection = Inspection.from_json(question["inspection"])
    candidate = inspection.candidate(question["candidate"])
    found = _report(candidate, inspection, question["architecture"], _library(question))
    try:
        preprocess = _preprocess(found.guess, question["preprocess"])
        card = convert_file(
            Path(question["path"]),
            WeightsOrigin(question["file"], inspection, candidate),
            found,
            preprocess,
            Path(question["folder"]),
            name=question["name"],
            accept_non_finite=question["accept_non_finite"],
        )
    except (DoesNotFit, NonFiniteWeights, BadPreprocess) as error:
        raise UnreadableWeights(error.code, _sentence(str(error)), getattr(error, "detail", None)) from None
    return {"sha256": card.weights_sha256}


def reprepare(question: Mapping[str, Any]) -> dict[str, Any]:
    """Write the checkpoint whose weights are at `path` into `folder`, with other preprocessing."""
    how = preprocess_of(question["preprocess"])
    try:
        card = reprepared(Path(question["path"]).parent, Path(question["folder"]), how, name=question["name"])
    except (BadPreprocess, CheckpointChanged, NotACheckpoint) as error:
        raise UnreadableWeights(error.code, _sentence(str(error))) from None
    return {"sha256": card.weights_sha256}


def library(question: Mapping[str, Any]) -> dict[str, Any]:
    """What a library says about the weights that it publishes under `name`."""
    try:
        return published_weights(question["name"]).as_json()
    except (UnknownWeights, TimmMissing) as error:
        raise UnreadableWeights(error.code, _sentence(str(error))) from None


def _library(question: Mapping[str, Any]) -> LibraryWeights | None:
    told = question.get("library")
    return None if told is None else LibraryWeights.from_json(told)


def _found(candidate: WeightsCandidate, inspection: Inspection, library: LibraryWeights | None) -> LoadReport | None:
    """The report for the architecture that fits best; None where there is none.

    Weights that a library publishes get the library's own preprocessing. For those of timm, the name decides which
    architecture they have, because several of its networks have the same shapes but compute something else. For those
    of torchvision, the name decides only where the shapes do not.
    """
    found = best(candidate, recognise(candidate, inspection.metadata))
    if library is None:
        return found
    known = found is not None and found.fits and not found.guess.filters_only
    if found is None or not known or library.name.startswith("timm:"):
        guess = named(candidate, library.name)
        assert guess is not None
        found = _as_named(candidate, guess)
    return _prepared(found, library)


def _prepared(found: LoadReport, library: LibraryWeights | None) -> LoadReport:
    """The report with the library's preprocessing before the other ways to prepare images."""
    if library is None:
        return found
    return replace(found, guess=replace(found.guess, preprocess=(library.preprocess, *found.guess.preprocess)))


def _report(
    candidate: WeightsCandidate, inspection: Inspection, architecture: str | None, library: LibraryWeights | None
) -> LoadReport:
    """The report for the named architecture, or where it is None for the one that fits best."""
    guesses = recognise(candidate, inspection.metadata)
    if architecture is not None and (asked := named(candidate, architecture)) is not None:
        return _prepared(_as_named(candidate, asked), library)
    if architecture is not None:
        wanted = architecture.strip().casefold()
        chosen = tuple(it for it in guesses if wanted in (it.architecture.casefold(), it.title.casefold()))
        if not chosen:
            known = ", ".join(dict.fromkeys(it.title for it in guesses)) or "none"
            message = f"These tensors cannot be {architecture[:80]!r}. What they may be: {known}."
            raise UnreadableWeights("unknown_architecture", message)
        found = best(candidate, chosen)
        found = None if found is None else _prepared(found, library)
    else:
        found = _found(candidate, inspection, library)
    if found is None:
        raise UnreadableWeights(
            "unknown_architecture", "No network is known that has these tensors, and no first layer is among them."
        )
    return found


def _as_named(candidate: WeightsCandidate, guess: Guess) -> LoadReport:
    """The report for a network of a library, which was named. Raises UnreadableWeights where it cannot be built."""
    try:
        return report(candidate, guess)
    except TimmMissing as error:
        raise UnreadableWeights(error.code, _sentence(str(error))) from None
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UnreadableWeights("unknown_architecture", f"{guess.title} cannot be built: {reason}.") from None


def _preprocess(guess: Guess, asked: str | Mapping[str, Any] | None) -> Preprocess:
    """The preprocessing of that name or with those fields; where none is asked for, the first that is offered."""
    if asked is None:
        return guess.preprocess[0].preprocess
    if isinstance(asked, str):
        for choice in guess.preprocess:
            if choice.name == asked:
                return choice.preprocess
        raise BadPreprocess(f"there is no preparation {asked[:80]!r}: {', '.join(it.name for it in guess.preprocess)}")
    try:
        return preprocess_of(asked)
    except (KeyError, TypeError) as error:
        raise BadPreprocess("a preparation needs all of its fields, and no others") from error


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


WORK: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "inspect": look,
    "compare": compare,
    "convert": convert,
    "reprepare": reprepare,
    "library": library,
}
