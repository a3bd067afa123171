"""`python -m tests.jobs.run DIR`: the jobs' entry point with the tests' own kinds."""

import importlib
import sys
from dataclasses import replace
from types import SimpleNamespace

from app.jobs.catalogue import KINDS
from app.jobs.run import leave, main
from tests.jobs import kinds

NAMES = ("count", "stubborn", "fail", "stumble", "die", "tear", "empty")

if __name__ == "__main__":
    for name in NAMES:
        module = f"tests.jobs.kinds.{name}"
        sys.modules[module] = SimpleNamespace(run=getattr(kinds, name))  # type: ignore[assignment]
        importlib.import_module(module)
    any_kind = KINDS["import"]
    leave(main(sys.argv[1:], {name: replace(any_kind, name=name, module=f"tests.jobs.kinds.{name}") for name in NAMES}))
