"""The page of all scans, with the form that starts one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.services.scans.service import ScanRecord
from app.services.services import Services
from app.web.formats import count
from app.web.frame import PageContext
from app.web.templating import page
from models.descriptors import DESCRIPTORS


@dataclass(frozen=True)
class ScansContext(PageContext):
    """A part of the list of scans, and the choices of the form that starts one.

    `encoders` and `galleries` are (value, text). `first` and `following` are the addresses of other parts of the list,
    None where there is none.
    """

    template: ClassVar[str] = "scans.html"
    scans: Sequence[ScanRecord]
    first: str | None
    following: str | None
    encoders: list[tuple[str, str]]
    galleries: list[tuple[str, str]]


def show_scans(request: Request, services: Services, *, limit: int, cursor: str | None) -> HTMLResponse:
    """The page with a part of the list of scans, and the form that starts one."""
    checkpoints = services.checkpoints.choices()
    known = {slug for slug, _ in checkpoints}
    found, here = services.scans.list(limit=limit, cursor=cursor), services.settings.url("/scans")
    weightless = [(name, f"{kind.title}, no weights") for name, kind in DESCRIPTORS.items() if name not in known]
    return page(
        request,
        ScansContext(
            scans=found.scans,
            first=None if cursor is None else here,
            following=None if found.next is None else f"{here}?cursor={found.next}",
            encoders=[*checkpoints, *weightless] if checkpoints else [],
            galleries=[
                (item.slug, f"{item.name} ({count(item.rows, 'image')})") for item in services.galleries.filled()
            ],
        ),
    )
