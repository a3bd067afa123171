"""Which network the predictor is asked with."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.failures import Conflict
from app.services.checkpoints.service import CheckpointRecord
from app.services.networks import checkpoint_network, scanned_network
from models.card import LayerCard
from models.scans.files import ScanInfo
from models.scans.geometry import Trunk

CHECKPOINT = CheckpointRecord("net", "Net", "alexnet", None, "a" * 64, Path("net"), None, datetime.now(UTC))
SCAN = ScanInfo(
    checkpoint="net",
    checkpoint_sha256="a" * 64,
    gallery="photos",
    shards=(),
    rows=0,
    layers=(LayerCard("conv1", 4, "conv", "conv1"), LayerCard("fc6", 4, "fc", "fc6")),
    top_k=1,
    precision="bf16",
    count_precision="fp32",
    residual=False,
    trunk=Trunk(None, 64),
    counts=None,
)


def test_a_checkpoint_answers_in_fp32() -> None:
    asked = checkpoint_network(CHECKPOINT)
    assert (asked.folder, asked.sha256, asked.precision) == ("net", "a" * 64, "fp32")


@pytest.mark.parametrize(("layer", "precision"), [("conv1", "bf16"), ("fc6", "fp32")])
def test_a_scans_network_answers_in_the_precision_of_the_layer(layer: str, precision: str) -> None:
    assert scanned_network(CHECKPOINT, SCAN, layer).precision == precision


def test_other_weights_than_those_of_the_scan_are_refused() -> None:
    with pytest.raises(Conflict, match="other weights"):
        scanned_network(replace(CHECKPOINT, sha256="b" * 64), SCAN, "conv1")
