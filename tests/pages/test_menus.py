"""Menus of a workspace with more than a hundred of everything: the oldest can be found and chosen in each form."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.services.checkpoints.bundled import ensure_descriptor
from app.settings import Settings
from app.store.tables import CheckpointRow, ClusteringRow, GalleryRow, ScanRow
from tests.conftest import Client, Server, application
from tests.making import Workspace

MANY = 120  # newer ones of each, beside those of the workspace
HTML = {"accept": "text/html"}


@dataclass(frozen=True)
class Form:
    """A form that chooses one of many: its page, the field, what is to be chosen, and what is sent where."""

    page: str
    field: str
    chosen: str
    to: str
    fields: dict[str, str]
    method: str = "POST"


def crowd(session: Session, workspace: Workspace) -> None:
    """Rows without files, all newer than what the workspace holds."""
    for n in range(MANY):
        many, net, groups = f"many-{n:03d}", f"net-{n:03d}", f"groups-{n:03d}"
        session.add(
            GalleryRow(slug=many, name=f"Many {n}", source={"kind": "folder"}, folder=f"galleries/{many}", rows=30)
        )
        about = {"architecture": "alexnet", "task": "counting"}
        session.add(CheckpointRow(slug=net, name=f"Net {n}", folder=f"checkpoints/{net}", sha256=net, **about))
        session.add(
            ScanRow(slug=f"{net}-on-{many}", checkpoint=net, gallery=many, folder=f"scans/{net}", rows=30, done=True)
        )
        of = {"scan": workspace.scan, "checkpoint": workspace.checkpoint, "gallery": many, "layer": "conv5"}
        session.add(ClusteringRow(slug=groups, **of, method="kmeans", k=5, rows=30, folder=f"clusters/{groups}"))


@pytest.fixture(scope="module")
def crowded(server: Server, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a copy of the used workspace in which there is much more."""
    folder = tmp_path_factory.mktemp("crowded") / "workspace"
    shutil.copytree(server.workspace.path, folder)
    app = application(Settings(workspace=folder, roots=(photos.parent,)))
    services = app.state.services
    with services.store.write() as session:
        crowd(session, server.workspace)
    ensure_descriptor(services.checkpoints, "hog")
    yield Client(app)
    services.store.close()


def forms(at: Workspace, photos: Path) -> list[Form]:
    """Every form with a menu of galleries, checkpoints, scans or clusterings."""
    pair = {"checkpoint": at.checkpoint, "gallery": at.gallery}
    card, gallery = f"/checkpoints/{at.checkpoint}", f"/galleries/{at.gallery}"
    both = {"a": at.checkpoint, "b": "random-init"}
    groups = {"a": at.clustering, "b": at.clustering}
    chain = {"begin": f"scan:{at.scan}", "layer": "conv5", "k": "5", "target_gallery": at.gallery, "probe": at.gallery}
    pretext = {"begin": "pretrain:counting", "pretext_gallery": at.gallery, "cluster_gallery": at.gallery, "k": "5"}
    train = {"gallery": at.gallery, "then_scan": "yes", "scan_gallery": at.gallery}
    folder = {"kind": "folder", "path": str(photos), "name": "Again", "then_scan": at.checkpoint}
    clusters = f"/scans/{at.scan}/clusters"
    glyphs = "/checkpoints/hog/glyphs"
    assign = {"layer": "conv5", "centres": "groups-000"}
    return [
        Form("/scans", "checkpoint", at.checkpoint, "/scans", pair),
        Form("/scans", "gallery", at.gallery, "/scans", pair),
        Form(card, "gallery", at.gallery, "/start/scan", pair),
        Form(f"{card}/sanity", "gallery", at.gallery, "/start/sanity", pair),
        Form("/results", "checkpoint", at.checkpoint, "/start/probe", pair),
        Form("/results", "gallery", at.gallery, "/start/probe", pair),
        Form("/compare", "a", at.checkpoint, "/compare", both, "GET"),
        Form("/compare", "b", at.checkpoint, "/compare", {"a": "random-init", "b": at.checkpoint}, "GET"),
        Form(
            "/checkpoints/random-init", "b", at.checkpoint, "/compare", {"a": "random-init", "b": at.checkpoint}, "GET"
        ),
        Form("/labs", "gallery", at.gallery, "/labs", {"gallery": at.gallery}, "GET"),
        Form("/clusters", "a", at.clustering, "/clusters", groups, "GET"),
        Form("/clusters", "b", at.clustering, "/clusters", groups, "GET"),
        Form(clusters, "centres", "groups-000", clusters, assign),
        Form("/transfer", "begin", f"scan:{at.scan}", "/transfer", chain),
        Form("/transfer", "target_gallery", at.gallery, "/transfer", chain),
        Form("/transfer", "probe", at.gallery, "/transfer", chain),
        Form("/transfer", "pretext_gallery", at.gallery, "/transfer", pretext),
        Form("/transfer", "cluster_gallery", at.gallery, "/transfer", pretext),
        Form("/jobs", "gallery", at.gallery, "/jobs/train", train),
        Form("/jobs", "scan_gallery", at.gallery, "/jobs/train", train),
        Form(gallery, "checkpoint", at.checkpoint, f"{gallery}/scan", pair),
        Form(f"/galleries?path={photos}&name=Again", "then_scan", at.checkpoint, "/galleries", folder),
        Form("/", "scan", at.scan, "/", {"scan": at.scan}, "GET"),
        Form(f"{glyphs}?gallery={at.gallery}", "gallery", at.gallery, glyphs, {"gallery": at.gallery}, "GET"),
    ]


def suggestions(page: str, field: str) -> list[list[str]]:
    """What each search field of that name suggests."""
    lists = re.findall(rf'<input id="[^"]+" name="{field}" list="([^"]+)"', page)
    found = [re.search(rf'<datalist id="{name}">(.*?)</datalist>', page, re.DOTALL) for name in lists]
    return [re.findall(r'<option value="([^"]+)"', one.group(1)) for one in found if one is not None]


def test_the_oldest_of_many_can_be_found_and_chosen_in_each_form(
    crowded: Client, workspace: Workspace, photos: Path
) -> None:
    for form in forms(workspace, photos):
        page = crowded.get(form.page, headers=HTML)
        assert page.status_code == 200, form
        offered = suggestions(page.text, form.field)
        assert offered and all(len(one) > 100 for one in offered), f"no search field: {form}"
        assert all(form.chosen in one for one in offered), form
        assert f'<select id="f-{form.field}" name="{form.field}"' not in page.text
        sent = {"params": form.fields} if form.method == "GET" else {"data": form.fields}
        answer = crowded.request(form.method, form.to, headers=HTML, **sent)
        assert answer.status_code in (200, 303), (form, answer.text[-2000:])


def test_a_name_that_is_not_there_is_told_with_what_may_have_been_meant(
    crowded: Client, workspace: Workspace, photos: Path
) -> None:
    before = len(crowded.get("/api/jobs").json()["jobs"])
    for form in forms(workspace, photos):
        if form.field in ("begin", "cluster_gallery", "pretext_gallery", "target_gallery", "probe"):
            continue
        fields = {**form.fields, form.field: form.chosen[:-1] + "#"}
        sent = {"params": fields} if form.method == "GET" else {"data": fields}
        answer = crowded.request(form.method, form.to, headers=HTML, **sent)
        assert answer.status_code == 404 and "Did you mean" in answer.text, (form, answer.status_code)
        assert form.chosen in answer.text or form.chosen == "groups-000"  # which is like a hundred others
    assert len(crowded.get("/api/jobs").json()["jobs"]) == before, "nothing was started"


def test_a_chain_that_begins_with_nothing_of_the_list_is_told_what_can_begin(
    crowded: Client, workspace: Workspace
) -> None:
    answer = crowded.post("/transfer", data={"begin": "photos"}, headers=HTML)
    assert answer.status_code == 422 and "scan:NAME" in answer.text
    answer = crowded.post("/transfer", data={"begin": f"scan:{workspace.scan}s", "layer": "conv5"}, headers=HTML)
    assert answer.status_code == 404 and f"Did you mean {workspace.scan}" in answer.text


def test_up_to_fifty_of_them_are_a_menu(client: Client) -> None:
    services = client.app.state.services
    with services.store.write() as session:
        for n in range(50):
            session.add(GalleryRow(slug=f"g-{n}", name=f"G {n}", source={"kind": "folder"}, folder=f"g-{n}", rows=30))
        session.add(GalleryRow(slug="empty", name="Empty", source={"kind": "folder"}, folder="empty", rows=0))
    page = client.get("/jobs", headers=HTML).text
    assert '<select id="f-gallery" name="gallery"' in page and 'value="g-0"' in page
    assert "datalist" not in page and 'value="empty"' not in page
