"""The pages that list clusterings: all of them with the comparison of two, and those of one scan with the form."""

from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from app.routes.clusters.views import ClusteringLine, clustering_lines, index_words
from app.services.clusters.service import Agreement
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.web.formats import number
from app.web.frame import PageContext
from app.web.templating import page


class ClusterForm(BaseModel):
    """The form's fields, as browsers send them: an empty field is no choice, and a box not ticked is not sent."""

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
        """The spec of the job; its values are checked where it is submitted."""
        pca: object = int(self.pca) if self.pca.isascii() and self.pca.isdecimal() else self.pca or None
        centres = {"centres": self.centres, "method": "centres"} if self.centres else {"method": self.method}
        kept = self.model_dump(include={"layer", "k", "whiten", "spherical", "iterations", "seed"})
        return {"scan": scan, **kept, **centres, "pca": pca}


@dataclass(frozen=True)
class ClusteringsContext(PageContext):
    """All clusterings, and how well two of them agree.

    `a` and `b` are chosen in the form; `asked`: the address asks for their agreement; `agreed` has it, empty while it
    is being computed.
    """

    template: ClassVar[str] = "clusterings.html"
    clusterings: list[ClusteringLine]
    first: str | None
    following: str | None
    choices: list[str]
    a: str
    b: str
    asked: bool
    agreed: list[tuple[str, str]]


@dataclass(frozen=True)
class ScanClustersContext(PageContext):
    """The clusterings of a scan, and the form that makes one.

    `elsewhere` are clusterings of other galleries whose centres can be used, `elsewhere_layers` their layers.
    """

    template: ClassVar[str] = "scan_clusters.html"
    scan: str
    checkpoint: str
    gallery: str
    here: str
    clusterings: list[ClusteringLine]
    first: str | None
    following: str | None
    layers: list[str]
    elsewhere: list[str]
    elsewhere_layers: list[str]


def show_list(
    request: Request, services: Services, *, a: str | None, b: str | None, cursor: str | None
) -> HTMLResponse:
    """The page of all clusterings; with `a` and `b` also how well these two agree."""
    found = services.clusterings.list(cursor=cursor)
    agreed = services.clusterings.agreement(a, b) if a and b else None
    choices = services.clusterings.choices()
    here = services.settings.url("/clusters")
    return page(
        request,
        ClusteringsContext(
            clusterings=clustering_lines(found.clusterings),
            first=None if cursor is None else here,
            following=None if found.next is None else f"{here}?cursor={found.next}",
            choices=choices,
            a=a or "",
            b=b or (choices[1] if len(choices) > 1 else ""),
            asked=bool(a and b),
            agreed=[] if agreed is None else _agreed(agreed),
        ),
    )


def show_of_scan(request: Request, services: Services, scan: OpenScan, *, cursor: str | None) -> HTMLResponse:
    """The page with the clusterings of a scan, and the form that makes another."""
    found = services.clusterings.list(scan=scan.slug, cursor=cursor)
    elsewhere = services.clusterings.fitted_elsewhere(scan.record.checkpoint, scan.gallery)
    here = services.settings.url(f"/scans/{scan.slug}")
    return page(
        request,
        ScanClustersContext(
            scan=scan.slug,
            checkpoint=scan.record.checkpoint,
            gallery=scan.gallery,
            here=here,
            clusterings=clustering_lines(found.clusterings),
            first=None if cursor is None else f"{here}/clusters",
            following=None if found.next is None else f"{here}/clusters?cursor={found.next}",
            layers=list(scan.info.names),
            elsewhere=[item.slug for item in elsewhere],
            elsewhere_layers=list(dict.fromkeys(item.layer for item in elsewhere)),
        ),
    )


def _agreed(agreed: Agreement) -> list[tuple[str, str]]:
    return [
        ("Adjusted Rand index", index_words(agreed.ari)),
        ("Adjusted mutual information", index_words(agreed.ami)),
        ("Images", number(agreed.images)),
    ]
