"""What is said where there is nothing of a name that somebody typed: which of what is there they may have meant."""

from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import NotFound
from app.store.tables import CheckpointRow, ClusteringRow, GalleryRow, ScanRow

Kind = type[GalleryRow] | type[CheckpointRow] | type[ScanRow] | type[ClusteringRow]
NOUNS: dict[Kind, str] = {
    GalleryRow: "gallery",
    CheckpointRow: "checkpoint",
    ScanRow: "scan",
    ClusteringRow: "clustering",
}
LONGEST = 100  # characters of the name that are told back
NAMED = 3


def unknown(session: Session, kind: Kind, slug: str) -> NotFound:
    """`There is no gallery 'Photo'. Did you mean photos?`: by slug or by the name that people read."""
    noun, typed = NOUNS[kind], slug[:LONGEST]
    slugs = {known.lower(): known for known in session.scalars(select(kind.slug))}
    if kind in (GalleryRow, CheckpointRow):
        named = GalleryRow if kind is GalleryRow else CheckpointRow
        slugs |= {name.lower(): known for known, name in session.execute(select(named.slug, named.name))}
    near = dict.fromkeys(slugs[word] for word in get_close_matches(typed.lower(), slugs, n=NAMED))
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return NotFound(f"unknown_{noun}", f"There is no {noun} {typed!r}.{meant}")
