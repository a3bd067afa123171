"""Load a checkpoint for a scan."""

from pathlib import Path

from models.checkpoints.storage import load
from models.network import scan_precision
from models.scans.networks import ScanNetworks
from models.scans.plans import ScanPlan


def open_for_scan(folder: Path, plan: ScanPlan, *, device: str) -> ScanNetworks:
    """The networks of the checkpoint in `folder`; the counting equation is always computed in fp32.

    Raises BadPlan, CheckpointChanged, NotACheckpoint.
    """
    precision = scan_precision(plan.precision, device)
    trunk = load(folder, device=device, precision=precision)
    exact = precision != "fp32" and plan.wants_residual(trunk.card)
    counts = load(folder, device=device, precision="fp32") if exact else trunk
    return ScanNetworks.of(trunk, counts, plan, precision=precision)
