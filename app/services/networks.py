"""Names the network for a question to the predictor: a checkpoint's network, or that of a scan."""

from app.failures import Conflict
from app.predictor.messages import NetworkRef
from app.services.checkpoints.service import CheckpointRecord
from models.scans.files import ScanInfo


def checkpoint_network(checkpoint: CheckpointRecord) -> NetworkRef:
    """The network of a checkpoint, in fp32."""
    return NetworkRef(str(checkpoint.folder), checkpoint.sha256)


def scanned_network(checkpoint: CheckpointRecord, scan: ScanInfo, layer: str) -> NetworkRef:
    """The network of a scan, in the precision that the layer was scanned in.

    Raises Conflict where the checkpoint no longer has the weights that were scanned.
    """
    if checkpoint.sha256 != scan.checkpoint_sha256:
        raise Conflict("checkpoint_changed", "This scan was made with other weights; scan the gallery again.")
    precision = scan.precision if scan.layer(layer).on_trunk else scan.count_precision
    return NetworkRef(str(checkpoint.folder), checkpoint.sha256, "bf16" if precision == "bf16" else "fp32")
