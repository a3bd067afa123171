"""Published weights by name: fetched once and checked, or told how to place them by hand."""

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torchvision

from app.failures import NotFound, TooLarge
from app.inspector.client import Inspector
from app.inspector.fetching import NotFetched, fetch
from app.routes.foreign.routes import inspection_json
from app.services.checkpoints.service import CheckpointsService
from app.services.foreign.checkpoints import ForeignCheckpoints, NewCheckpoint
from app.services.foreign.inspections import InspectionsService
from app.settings import Settings
from app.store.engine import Store
from models.card import read_card
from models.foreign.preparations import HALF, fixed
from models.foreign.published_names import LibraryWeights, is_library_name
from models.foreign.report import PreprocessChoice

NAME = "torchvision:shufflenet_v2_x0_5.IMAGENET1K_V1"
FILE = "shufflenetv2_x0.5-f707e7126e.pth"


class Mirror(SimpleHTTPRequestHandler):
    """A folder on the network; /away points to it, /cut promises more than it sends."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "ftp://localhost/x")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(bytes(10))
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and the folder that it shows."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Mirror, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def weights(folder: Path) -> str:
    """Write a small network of torchvision and give its SHA-256."""
    torch.manual_seed(0)
    torch.save(torchvision.models.shufflenet_v2_x0_5(num_classes=3).state_dict(), folder / FILE)
    return hashlib.sha256((folder / FILE).read_bytes()).hexdigest()


def told(url: str, digest: str) -> LibraryWeights:
    how = PreprocessChoice("as the weights ask for", "the library", fixed(40, resize=48, mean=HALF, std=HALF))
    return LibraryWeights(NAME, url, FILE, digest, how)


def test_names_are_told_from_paths() -> None:
    assert is_library_name(NAME) and is_library_name("timm:resnet26d.bt_in1k") and is_library_name("torchvision:vgg11")
    for text in ("resnet50", "torchvision:", "timm:a/b", "other:resnet50", "/tmp/torchvision:x.pth", "timm:../x"):
        assert not is_library_name(text)


def test_a_download_is_whole_or_not_there(mirror: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = mirror
    (folder / "x.pth").write_bytes(b"weights")
    file = tmp_path / "got.pth"
    assert fetch(f"{url}/x.pth", file, limit=7) == hashlib.sha256(b"weights").hexdigest()
    assert file.read_bytes() == b"weights"
    for place, limit, code, words in (
        ("x.pth", 6, "file_too_large", "more than the 6 bytes"),
        ("none.pth", 100, "not_fetched", "404"),
        ("away", 100, "not_fetched", "not encrypted"),
        ("cut", 200, "not_fetched", "10 of 100 bytes"),
    ):
        with pytest.raises(NotFetched, match=words) as refused:
            fetch(f"{url}/{place}", tmp_path / "other.pth", limit=limit)
        assert refused.value.code == code
    with pytest.raises(NotFetched, match="no connection"):
        fetch("http://127.0.0.1:9/x", tmp_path / "other.pth", limit=1)
    with pytest.raises(NotFetched, match="Only http"):
        fetch("file:///etc/passwd", tmp_path / "other.pth", limit=1)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["got.pth", "mirror"]


def test_weights_are_fetched_once_and_prepared_as_their_library_says(
    mirror: tuple[str, Path], settings: Settings, inspector: Inspector
) -> None:
    url, folder = mirror
    digest = weights(folder)
    service = InspectionsService(settings, inspector)
    record = service.look_at(told(f"{url}/{FILE}", digest[:8]))
    (folder / FILE).unlink()
    assert service.look_at(told(f"{url}/{FILE}", digest[:8])).id == record.id == digest  # from the workspace
    (report,) = record.reports.values()
    assert report["fits"] and report["guess"]["title"] == "shufflenet_v2_x0_5 of torchvision"
    assert report["guess"]["preprocess"][0]["name"] == "as the weights ask for"
    named = service.report(service.get(record.id), "weights", NAME)
    assert named["guess"]["preprocess"][0]["preprocess"]["trunk_size"] == 40
    assert json.loads(json.dumps(inspection_json(record, settings)))["library"]["name"] == NAME
    store = Store.open(settings.workspace, None)
    added = ForeignCheckpoints(settings, CheckpointsService(store), service).add(NewCheckpoint(record.id))
    store.close()
    how = read_card(added.checkpoint.folder).preprocess
    assert (how.trunk_size, how.resize, how.mean) == (40, 48, HALF)
    assert added.checkpoint.name == NAME


def test_what_cannot_be_fetched_says_what_to_place_where(
    mirror: tuple[str, Path], settings: Settings, inspector: Inspector
) -> None:
    url, folder = mirror
    digest = weights(folder)
    away = told("http://127.0.0.1:9/files/x.pth", digest[:8])
    service = InspectionsService(settings, inspector)
    with pytest.raises(NotFound, match=f"save it as `{FILE}` in the workspace's folder `weights`") as offline:
        service.look_at(away)
    assert offline.value.detail == {"file": FILE, "folder": "weights", "url": away.url}
    with pytest.raises(NotFound, match="SHA-256 does not begin with 00000000"):
        service.look_at(told(f"{url}/{FILE}", "00000000"))
    assert list((settings.workspace / "weights").iterdir()) == []
    with pytest.raises(TooLarge):
        small = settings.model_copy(update={"checkpoint_mb": 1})
        InspectionsService(small, inspector).look_at(told(f"{url}/{FILE}", digest))
    (folder / FILE).rename(settings.workspace / "weights" / FILE)
    assert service.look_at(away).id == digest
