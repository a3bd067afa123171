"""The pages of clusterings: the list with the comparison of two, the form, one clustering, one cluster."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import BaseModel, Field

from app.services.filters.descriptors import centre_glyphs
from app.services.scans.clusterings import ORDERS, ClusteringRecord, OpenClustering, Order
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.settings import Settings
from app.web.charts import bar_chart, line_chart
from app.web.glyphs import glyph_svg
from app.web.templating import page
from models.clusters.files import ClusteringReader

BARS = 300  # more sizes than that are drawn as a line
PER_PAGE = 12


class ClusterForm(BaseModel):
    """The form's fields, as browsers send them: an empty field is no choice, a box that is not ticked is not sent."""

    layer: str = Field(max_length=200)
    k: int = 100
    method: str = Field("kmeans", max_length=20)
    centres: str = Field("", max_length=400)
    pca: str = Field("", max_length=10)
    whiten: bool = False
    spherical: bool = False
    iterations: int = 20
    seed: int = 0

    def spec(self, scan: str) -> dict[str, Any]:
        """What is submitted; the values are checked there."""
        pca: object = int(self.pca) if self.pca.isascii() and self.pca.isdecimal() else self.pca or None
        centres = {"centres": self.centres, "method": "centres"} if self.centres else {"method": self.method}
        kept = self.model_dump(include={"layer", "k", "whiten", "spherical", "iterations", "seed"})
        return {"scan": scan, **kept, **centres, "pca": pca}


def show_list(
    request: Request, services: Services, *, a: str | None, b: str | None, cursor: str | None
) -> HTMLResponse:
    """All clusterings, and how two of one gallery agree."""
    found = services.clusterings.list(cursor=cursor)
    agreed = services.clusterings.agreement(a, b) if a and b else None
    return page(
        request,
        "clusterings.html",
        found=found,
        first=cursor is None,
        a=a,
        b=b,
        agreed=agreed,
        asked=bool(a and b),
        choices=services.clusterings.choices(),
    )


def show_of_scan(request: Request, services: Services, scan: OpenScan, *, cursor: str | None) -> HTMLResponse:
    """The clusterings of a scan, and the form that makes another."""
    record = scan.record
    found = services.clusterings.list(scan=scan.slug, cursor=cursor)
    elsewhere = services.clusterings.fitted_elsewhere(record.checkpoint, record.gallery)
    return page(
        request,
        "scan_clusters.html",
        record=record,
        found=found,
        first=cursor is None,
        layers=[layer.name for layer in scan.info.layers],
        elsewhere=elsewhere,
    )


def show_clustering(
    request: Request, services: Services, clustering: OpenClustering, *, order: Order, seed: int, cursor: str | None
) -> HTMLResponse:
    """One clustering as a whole, and some of its clusters."""
    record, reader = clustering.record, clustering.reader
    trained = services.checkpoints.get(record.checkpoint)
    found = services.clusterings.clusters(clustering, order=order, limit=PER_PAGE, cursor=cursor, seed=seed)
    return page(
        request,
        "clustering.html",
        record=record,
        info=reader.info,
        found=found,
        glyphs=_glyphs(services, reader, [cluster.number for cluster in found.clusters]),
        order=order,
        orders=ORDERS,
        seed=seed,
        first=cursor is None,
        sizes=_sizes_chart(record, reader, services.settings),
        inertia=_inertia_chart(reader),
        rises=any(after > before * (1 + 1e-6) for before, after in pairwise(reader.info.inertia)),
        agreements=services.clusterings.agreements(clustering),
        random_only=reader.centres is None,
        seen=services.seen.find(trained, clustering.pack).first(record.rows),
    )


def show_cluster(
    request: Request, services: Services, clustering: OpenClustering, number: int, *, seed: int
) -> HTMLResponse:
    """One cluster with many members."""
    record, reader = clustering.record, clustering.reader
    return page(
        request,
        "cluster.html",
        record=record,
        cluster=services.clusterings.cluster(clustering, number, seed=seed),
        seed=seed,
        random_only=reader.centres is None,
        glyph=_glyphs(services, reader, [number]).get(number),
    )


def _glyphs(services: Services, reader: ClusteringReader, numbers: list[int]) -> dict[int, Markup]:
    """Drawings of the centres, where they are HOG descriptors."""
    if reader.centres is None or reader.space.matrix is not None:
        return {}
    found = centre_glyphs(services.checkpoints.open(reader.info.checkpoint), reader.centres, numbers)
    return {number: glyph_svg(strengths, f"centre of cluster {number}") for number, strengths in found.items()}


def _sizes_chart(record: ClusteringRecord, reader: ClusteringReader, settings: Settings) -> Markup:
    """Images of each cluster, largest first; every bar leads to its cluster."""
    order = np.argsort(-reader.sizes, kind="stable")
    sizes = reader.sizes[order].tolist()
    if len(sizes) > BARS:
        points = [(float(rank), float(size)) for rank, size in enumerate(sizes)]
        return line_chart({"images": points}, label="Cluster sizes", x_label="cluster, largest first", y_label="images")
    return bar_chart(
        sizes,
        labels=[f"cluster {number}" for number in order],
        hrefs=[settings.url(f"/clusters/{record.slug}/{number}") for number in order],
        label="Cluster sizes",
        x_label="cluster, largest first",
        y_label="images",
    )


def _inertia_chart(reader: ClusteringReader) -> Markup | None:
    """Mean squared distance to the own centre, over the fitted images, by iteration."""
    info = reader.info
    if len(info.inertia) < 2 or not info.fitted_rows:
        return None
    points = [(float(step), value / info.fitted_rows) for step, value in enumerate(info.inertia)]
    return line_chart(
        {"inertia": [point for point in points if math.isfinite(point[1])]},
        label="Inertia by iteration",
        x_label="iteration",
        y_label="mean squared distance to the centre",
    )
