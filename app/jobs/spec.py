"""The file `spec.json`, which the supervisor writes before each attempt: all that a job's process is told."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.atomic import write_json

SPEC = "spec.json"


@dataclass(frozen=True)
class Output:
    """The artefact that a job will make, decided when it is submitted; `path` is relative to the workspace."""

    kind: str
    slug: str
    path: str


@dataclass(frozen=True)
class JobSpec:
    """One attempt of one job. `inputs` are folders by name; paths may be relative to the workspace."""

    id: str
    kind: str
    workspace: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    output: Output | None = None
    device: str = "cpu"
    attempt: int = 1

    @classmethod
    def read(cls, folder: Path) -> "JobSpec":
        """The spec in a job's folder."""
        data = json.loads((folder / SPEC).read_text("utf-8"))
        output = data.pop("output", None)
        return cls(**data, output=None if output is None else Output(**output))

    def write(self, folder: Path) -> None:
        """Write the spec into a job's folder."""
        write_json(folder / SPEC, asdict(self))
