"""The page of a whole clustering with some of its clusters, and the page of one cluster with many members."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from app.routes.clusters.views import ClusterView, cluster_view, index_words
from app.routes.scans.stats import Stat
from app.services.clusters.service import Agreement, ClusteringRecord, OpenClustering, Order
from app.services.filters.descriptors import centre_glyphs
from app.services.galleries.seen import Seen
from app.services.services import Services
from app.settings import Settings
from app.web.charts import bar_chart, line_chart
from app.web.choices import Choice
from app.web.formats import ago, count, duration, file_size, number, percent
from app.web.frame import PageContext
from app.web.glyphs import glyph_svg
from app.web.templating import page
from models.clusters.files import ClusteringInfo, ClusteringReader

BARS = 300  # the sizes of more clusters are drawn as a line
PER_PAGE = 12  # clusters
ORDERS: dict[Order, str] = {"size": "Largest", "tight": "Tightest", "number": "By number"}
CONTROL = ": a control, drawn by a seed and from no image."
GROUPED = ": images that lie together in this layer. No label was used."
Scores = tuple[str, str, str, str]  # whose they are, purity, AMI, ARI


@dataclass(frozen=True)
class Against:
    """How the clusters agree with labels that they never used, beside random clusters of the same sizes."""

    rows: list[Scores]
    note: str


@dataclass(frozen=True)
class AgreementLine:
    """How another clustering of the gallery agrees with this one."""

    slug: str
    href: str
    ari: str
    ami: str


@dataclass(frozen=True)
class ClusteringContext(PageContext):
    """The page of one clustering. `agreements` is None while they are being computed.

    `inertia` is the chart of the fit, None if nothing was fitted; `against` is None without labels. `draw` leads to
    this page with other random members, `made` says how the clustering was made.
    """

    template: ClassVar[str] = "clustering.html"
    record: ClusteringRecord
    title: str
    lead: str
    stats: list[Stat]
    sizes: Markup
    inertia: Markup | None
    inertia_note: str
    against: Against | None
    agreements: list[AgreementLine] | None
    orders: list[Choice]
    draw: str
    clusters: list[ClusterView]
    first: str | None
    following: str | None
    made: list[tuple[str, str]]


@dataclass(frozen=True)
class ClusterContext(PageContext):
    """The page of one cluster; `before` and `after` lead to the numbers beside it, `draw` to other random members."""

    template: ClassVar[str] = "cluster.html"
    record: ClusteringRecord
    here: str
    cluster: ClusterView
    before: str
    after: str
    draw: str


def show_whole(
    request: Request,
    services: Services,
    clustering: OpenClustering,
    *,
    order: Order,
    seed: int,
    cursor: str | None,
) -> HTMLResponse:
    """The page of a clustering, with some of its clusters."""
    record, reader, info = clustering.record, clustering.reader, clustering.info
    trained, settings = services.checkpoints.get(record.checkpoint), services.settings
    found = services.clusterings.clusters(clustering, order=order, limit=PER_PAGE, cursor=cursor, seed=seed)
    glyphs = _glyphs(services, reader, [cluster.number for cluster in found.clusters])
    seen = services.seen.find(trained, clustering.pack).first(record.rows)
    here, drawn = settings.url(f"/clusters/{record.slug}"), reader.centres is None
    rises = any(after > before * (1 + 1e-6) for before, after in pairwise(info.inertia))
    agreements = services.clusterings.agreements(clustering)
    return page(
        request,
        ClusteringContext(
            record=record,
            title=f"{number(record.k)} random groups" if drawn else f"{number(record.k)} clusters of {record.layer}",
            lead=f"{record.checkpoint} over {record.gallery}{CONTROL if drawn else GROUPED}",
            stats=_stats(clustering, seen, settings),
            sizes=_sizes_chart(record, reader, settings),
            inertia=_inertia_chart(info),
            inertia_note="rose, where empty clusters were re-seeded" if rises else "never rises",
            against=_against(info),
            agreements=None if agreements is None else [_agreement(item, settings) for item in agreements],
            orders=[Choice(words, f"{here}?sort={name}#clusters", name == order) for name, words in ORDERS.items()],
            draw=f"{here}?sort={order}&seed={seed + 1}#clusters",
            clusters=[
                cluster_view(clustering, cluster, settings, glyphs.get(cluster.number)) for cluster in found.clusters
            ],
            first=None if cursor is None else f"{here}?sort={order}",
            following=None if found.next is None else f"{here}?sort={order}&seed={seed}&cursor={found.next}#clusters",
            made=_made(record, info),
        ),
    )


def show_one(
    request: Request, services: Services, clustering: OpenClustering, number: int, *, seed: int
) -> HTMLResponse:
    """The page of one cluster with many members."""
    settings, record = services.settings, clustering.record
    found = services.clusterings.cluster(clustering, number, seed=seed)
    here = settings.url(f"/clusters/{record.slug}")
    glyph = _glyphs(services, clustering.reader, [number]).get(number)
    return page(
        request,
        ClusterContext(
            record=record,
            here=here,
            cluster=cluster_view(clustering, found, settings, glyph),
            before=f"{here}/{number - 1}" if number > 0 else "",
            after=f"{here}/{number + 1}" if number + 1 < record.k else "",
            draw=f"{here}/{number}?seed={seed + 1}",
        ),
    )


def _stats(clustering: OpenClustering, seen: Seen, settings: Settings) -> list[Stat]:
    record, info, spread = clustering.record, clustering.info, clustering.info.spread
    drawn, options = clustering.reader.centres is None, clustering.info.options
    fitted = f"{number(info.fitted_rows)} of them fitted on" if info.fitted_rows else f"centres of {info.source}"
    gallery = settings.url(f"/galleries/{record.gallery}")
    stats = [
        Stat("Images", number(record.rows), "" if drawn else fitted, gallery),
        Stat("Clusters with images", number(spread["clusters"] - spread["empty"]), f"{number(spread['empty'])} empty"),
        Stat("Largest share", percent(spread["largest_share"], 1), count(int(spread["largest"]), "image")),
        Stat(
            "Entropy", f"{number(spread['entropy_bits'])} bits", f"of {number(spread['most_bits'])} if all were equal"
        ),
    ]
    if not drawn:
        units = "all units, length 1" if options.normalise else "all units"
        if options.pca:
            units = f"PCA of {info.units}{', whitened' if options.whiten else ''}"
        stats.append(Stat("Dimensions", number(info.dimension), units))
    if len(info.inertia) > 1:
        again = f"{number(sum(info.reseeded))} clusters were re-seeded"
        stats.append(Stat("Iterations", str(len(info.inertia) - 1), again))
    if not drawn and (seen.preparing or seen.count):
        share = "…" if seen.preparing else percent(seen.share, 1)
        stats.append(Stat("Seen in training", share, "by the network whose features these are"))
    job = "" if record.job_id is None else settings.url(f"/jobs/{record.job_id}")
    return [*stats, Stat("Made", ago(record.created_at), duration(info.seconds), job)]


def _against(info: ClusteringInfo) -> Against | None:
    measured = info.against_labels
    if not measured:
        return None

    def scores(name: str, of: dict[str, float]) -> Scores:
        return name, index_words(of["purity"]), index_words(of["ami"]), index_words(of["ari"])

    labelled = f"{count(measured['images'], 'image')} with {measured['labels']} labels"
    return Against(
        rows=[scores("These clusters", {**measured}), scores("Random, of the same sizes", measured["random"])],
        note=f"{labelled}, the commonest on {percent(measured['largest_label_share'], 1)}. Purity grows with the "
        "number of clusters, so compare it with the second row (mean of "
        f"{measured['shuffles']} shuffles); AMI and ARI are 0 by chance.",
    )


def _agreement(found: Agreement, settings: Settings) -> AgreementLine:
    return AgreementLine(found.b, settings.url(f"/clusters/{found.b}"), index_words(found.ari), index_words(found.ami))


def _made(record: ClusteringRecord, info: ClusteringInfo) -> list[tuple[str, str]]:
    options = info.options
    methods = {
        "kmeans": f"k-means with FAISS's exact search{', spherical' if options.spherical else ''}",
        "random": "a random group for each image",
        "centres": f"nearest centre of {info.source or ''}",
    }
    return [
        ("Layer", f"{record.layer} of {record.checkpoint}"),
        ("Method", methods[options.method]),
        ("Seed", str(options.seed)),
        ("Fitted on", "all images" if options.fit == "all" else "the train rows"),
        ("Weights", info.checkpoint_sha256[:12]),
        ("Centres", (info.centres_sha256 or "none")[:12]),
        ("Memory of the fit", file_size(info.memory_bytes)),
    ]


def _glyphs(services: Services, reader: ClusteringReader, numbers: list[int]) -> dict[int, Markup]:
    """Drawings of the centres, if they are HOG descriptors."""
    if reader.centres is None or reader.space.matrix is not None:
        return {}
    found = centre_glyphs(services.checkpoints.open(reader.info.checkpoint), reader.centres, numbers)
    return {number: glyph_svg(strengths, f"centre of cluster {number}") for number, strengths in found.items()}


def _sizes_chart(record: ClusteringRecord, reader: ClusteringReader, settings: Settings) -> Markup:
    """The number of images in each cluster, largest first; every bar leads to its cluster."""
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


def _inertia_chart(info: ClusteringInfo) -> Markup | None:
    """The mean squared distance of the fitted images to their centres, by iteration."""
    if len(info.inertia) < 2 or not info.fitted_rows:
        return None
    points = [(float(step), value / info.fitted_rows) for step, value in enumerate(info.inertia)]
    return line_chart(
        {"inertia": [point for point in points if math.isfinite(point[1])]},
        label="Inertia by iteration",
        x_label="iteration",
        y_label="mean squared distance to the centre",
    )
