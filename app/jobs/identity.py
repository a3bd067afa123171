"""What makes two submissions the same job."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def identity(kind: str, spec: Mapping[str, Any], fingerprints: Mapping[str, str]) -> str:
    """sha256 over the kind, the spec with its defaults filled in, and the fingerprints of the inputs."""
    whole = {"kind": kind, "spec": spec, "fingerprints": fingerprints}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
