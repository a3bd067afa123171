"""Dependencies that open what an address names, once a request: `ScanDep`, `CheckpointDep` and `ClusteringDep`."""

from typing import Annotated

from fastapi import Depends

from app.deps import ServicesDep
from app.services.checkpoints.service import OpenCheckpoint
from app.services.clusters.service import OpenClustering
from app.services.scans.service import OpenScan


def open_scan(scan: str, services: ServicesDep) -> OpenScan:
    """The scan in the address. Raises NotFound, and Conflict where it no longer fits its gallery or weights."""
    return services.scans.open(scan)


def open_checkpoint(checkpoint: str, services: ServicesDep) -> OpenCheckpoint:
    """The checkpoint in the address. Raises NotFound, and Conflict where its files are damaged."""
    return services.checkpoints.open(checkpoint)


def open_clustering(clustering: str, services: ServicesDep) -> OpenClustering:
    """The clustering in the address. Raises NotFound, and Conflict where it is damaged or its gallery has changed."""
    return services.clusterings.open(clustering)


ScanDep = Annotated[OpenScan, Depends(open_scan)]
CheckpointDep = Annotated[OpenCheckpoint, Depends(open_checkpoint)]
ClusteringDep = Annotated[OpenClustering, Depends(open_clustering)]
