"""The answer to a name that does not exist: it suggests existing names that are similar."""

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
LONGEST = 100  # characters of the name that the answer repeats
NAMED = 3  # names that the answer suggests


def unknown(session: Session, kind: Kind, slug: str) -> NotFound:
    """The error for an unknown slug, such as `There is no gallery 'Photo'. Did you mean photos?`

    It compares the text with slugs, and for galleries and checkpoints also with names.
    """
    noun, typed = NOUNS[kind], slug[:LONGEST]
    slugs = {known.lower(): known for known in session.scalars(select(kind.slug))}
    if kind in (GalleryRow, CheckpointRow):
        named = GalleryRow if kind is GalleryRow else CheckpointRow
        slugs |= {name.lower(): known for known, name in session.execute(select(named.slug, named.name))}
    near = dict.fromkeys(slugs[word] for word in get_close_matches(typed.lower(), slugs, n=NAMED))
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return NotFound(f"unknown_{noun}", f"There is no {noun} {typed!r}.{meant}")
