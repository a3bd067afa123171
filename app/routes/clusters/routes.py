"""Addresses of clusterings: the list, those of a scan with the form that makes one, one clustering, one cluster."""

from io import BytesIO
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.deps import MAX_ID, LimitQuery, ServicesDep, SettingsDep
from app.opened import ClusteringDep, ScanDep
from app.routes.clusters import pages as cluster_pages
from app.routes.clusters.clustering_page import show_one, show_whole
from app.routes.clusters.shapes import agreement_json, cluster_json, clustering_json, whole_json
from app.routes.scans.shapes import seen_json
from app.services.clusters.service import Order
from app.web.responses import Json, answers

router = APIRouter()

CursorQuery = Annotated[str | None, Query(max_length=64)]
SlugQuery = Annotated[str | None, Query(max_length=400)]
ClusterPath = Annotated[int, Path(ge=0, le=MAX_ID)]
SeedQuery = Annotated[int, Query(ge=0, le=2**32 - 1)]
NPY = "application/octet-stream"


@router.get("/api/clusters")
def list_clusterings(
    services: ServicesDep,
    settings: SettingsDep,
    gallery: SlugQuery = None,
    a: SlugQuery = None,
    b: SlugQuery = None,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
) -> Json:
    """Clusterings, newest first; with `a` and `b` also how these two agree (null while it is being computed)."""
    found = services.clusterings.list(gallery=gallery, limit=limit, cursor=cursor)
    agreed = services.clusterings.agreement(a, b) if a and b else None
    shown = [clustering_json(record, settings) for record in found.clusterings]
    return Json({"clusters": shown, "agreement": agreement_json(agreed), "next": found.next})


@router.get("/api/scans/{scan}/clusters")
def list_of_scan(
    scan: ScanDep, services: ServicesDep, settings: SettingsDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> Json:
    """Clusterings of a scan, newest first."""
    found = services.clusterings.list(scan=scan.slug, limit=limit, cursor=cursor)
    return Json({"clusters": [clustering_json(record, settings) for record in found.clusterings], "next": found.next})


@router.get("/api/clusters/{clustering}")
def show_clustering(
    clustering: ClusteringDep,
    services: ServicesDep,
    settings: SettingsDep,
    sort: Order = "size",
    seed: SeedQuery = 0,
    limit: LimitQuery = 20,
    cursor: CursorQuery = None,
) -> Json:
    """How it was made, sizes, entropy, agreement with labels it never used; and some clusters with their members."""
    record = clustering.record
    found = services.clusterings.clusters(clustering, order=sort, limit=limit, cursor=cursor, seed=seed)
    shown = [cluster_json(record, cluster, settings) for cluster in found.clusters]
    trained = services.checkpoints.get(record.checkpoint)
    seen = seen_json(services.seen.find(trained, clustering.pack).first(record.rows))
    return Json(
        {**whole_json(record, clustering.reader, settings), "seen": seen, "clusters": shown, "next": found.next}
    )


@router.get("/api/clusters/{clustering}/assignment.npy", response_class=Response, responses=answers(NPY))
def assignment(clustering: ClusteringDep) -> Response:
    """The cluster of each row, (rows,) int32, as a NumPy file."""
    buffer = BytesIO()
    np.save(buffer, clustering.reader.clusters, allow_pickle=False)
    return Response(buffer.getvalue(), media_type=NPY)


@router.get("/api/clusters/{clustering}/{cluster}")
def show_cluster(
    clustering: ClusteringDep, cluster: ClusterPath, services: ServicesDep, settings: SettingsDep, seed: SeedQuery = 0
) -> Json:
    """One cluster: the members nearest to its centre, and random ones."""
    found = services.clusterings.cluster(clustering, cluster, seed=seed)
    return Json(cluster_json(clustering.record, found, settings))


@router.get("/clusters", include_in_schema=False)
def clusterings_page(
    request: Request, services: ServicesDep, a: SlugQuery = None, b: SlugQuery = None, cursor: CursorQuery = None
) -> HTMLResponse:
    return cluster_pages.show_list(request, services, a=a, b=b, cursor=cursor)


@router.get("/scans/{scan}/clusters", include_in_schema=False)
def scan_clusters_page(
    request: Request, scan: ScanDep, services: ServicesDep, cursor: CursorQuery = None
) -> HTMLResponse:
    return cluster_pages.show_of_scan(request, services, scan, cursor=cursor)


@router.post("/scans/{scan}/clusters", include_in_schema=False)
def start_clustering(
    scan: str, form: Annotated[cluster_pages.ClusterForm, Form()], services: ServicesDep, settings: SettingsDep
) -> RedirectResponse:
    """Start the job that clusters a layer of the scan as the form says."""
    job, _ = services.jobs.submit("cluster", form.spec(scan))
    return RedirectResponse(settings.url(f"/jobs/{job.id}"), status_code=303)


@router.get("/clusters/{clustering}", include_in_schema=False)
def clustering_page(
    request: Request,
    clustering: ClusteringDep,
    services: ServicesDep,
    sort: Order = "size",
    seed: SeedQuery = 0,
    cursor: CursorQuery = None,
) -> HTMLResponse:
    return show_whole(request, services, clustering, order=sort, seed=seed, cursor=cursor)


@router.get("/clusters/{clustering}/{cluster}", include_in_schema=False)
def cluster_page(
    request: Request, clustering: ClusteringDep, cluster: ClusterPath, services: ServicesDep, seed: SeedQuery = 0
) -> HTMLResponse:
    return show_one(request, services, clustering, cluster, seed=seed)
