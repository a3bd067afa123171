"""What pages show of clusters and clusterings: members as thumbnails, rows of tables, values in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from app.routes.pictures import thumbnail
from app.services.clusters.service import Cluster, ClusteringRecord, OpenClustering
from app.settings import Settings
from app.web.formats import ago, count, number, percent

CENTRES = {"kmeans": "k-means", "random": "none: random", "centres": "fitted elsewhere"}


@dataclass(frozen=True)
class Member:
    """An image of a cluster; `title` says which row it is and how far from the centre."""

    row: int
    href: str
    src: str
    title: str


@dataclass(frozen=True)
class ClusterView:
    """One cluster. `nearest` is None if the clustering has no centres; `glyph` is a drawing of the centre, or None.

    `common_label` is the commonest label of its images and `common_share` the share that has it, empty without labels.
    """

    number: int
    href: str
    size: str
    common_label: str
    common_share: str
    empty: bool
    nearest: list[Member] | None
    random: list[Member]
    glyph: Markup | None


@dataclass(frozen=True)
class ClusteringLine:
    """A clustering in a table."""

    slug: str
    layer: str
    checkpoint: str
    gallery: str
    clusters: str
    centres: str
    made: Markup


def clustering_lines(records: Iterable[ClusteringRecord]) -> list[ClusteringLine]:
    """Clusterings as a table shows them."""
    return [
        ClusteringLine(
            item.slug,
            item.layer,
            item.checkpoint,
            item.gallery,
            number(item.k),
            CENTRES[item.method],
            ago(item.created_at),
        )
        for item in records
    ]


def cluster_view(
    clustering: OpenClustering, cluster: Cluster, settings: Settings, glyph: Markup | None = None
) -> ClusterView:
    """A cluster with its members."""
    gallery, common = clustering.record.gallery, cluster.commonest
    nearest = [_member(settings, gallery, row, f", distance {number(far, 3)}") for row, far in cluster.nearest]
    return ClusterView(
        cluster.number,
        settings.url(f"/clusters/{clustering.slug}/{cluster.number}"),
        size=f"{count(cluster.size, 'image')}, {percent(cluster.share, 1)}",
        common_label="" if common is None else common.label,
        common_share="" if common is None else percent(common.share),
        empty=cluster.size == 0,
        nearest=None if clustering.reader.centres is None else nearest,
        random=[_member(settings, gallery, row) for row in cluster.random],
        glyph=glyph,
    )


def index_words(value: float) -> str:
    """Purity, ARI or AMI with three digits, and never `-0.000`."""
    return f"{round(value, 3) + 0:.3f}"


def _member(settings: Settings, gallery: str, row: int, known: str = "") -> Member:
    href = settings.url(f"/galleries/{gallery}/images/{row}")
    return Member(row, href, thumbnail(settings, gallery, row), f"row {row}{known}")
