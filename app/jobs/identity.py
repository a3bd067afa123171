"""The identity of a job: two submissions with the same identity are the same job."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def identity(kind: str, spec: Mapping[str, Any], fingerprints: Mapping[str, str]) -> str:
    """The SHA-256 of the kind, the spec with its defaults filled in, and the fingerprints of the inputs.

    Raises ValueError where the spec has a number that is not finite.
    """
    whole = {"kind": kind, "spec": spec, "fingerprints": fingerprints}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
