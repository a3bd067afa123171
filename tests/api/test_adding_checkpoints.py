"""What was found in a file becomes a checkpoint, once; or a refusal says what does not fit, and nothing is there."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from torch import Tensor

from app.inspector.client import Inspector
from app.settings import Settings
from models.card import CARD, read_card
from tests.conftest import Client, Clients
from tests.models.foreign.files import saved
from tests.models.foreign.networks import CifarNet

State = dict[str, Tensor]


@pytest.fixture
def web(client: Client, inspector: Inspector) -> Client:
    """A client of an empty workspace whose files are read by the run's one inspector."""
    client.app.state.services.inspections.inspector = inspector
    return client


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return OrderedDict(CifarNet(depth=1).state_dict())


def looked(web: Client, path: Path) -> dict[str, Any]:
    answer = web.post("/api/checkpoints/inspect", json={"path": str(path)})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def add(web: Client, path: Path, **choices: Any) -> httpx.Response:
    return web.post("/api/checkpoints", json={"inspection": looked(web, path)["inspection"], **choices})


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def registered(web: Client) -> list[str]:
    return [it["slug"] for it in web.get("/api/checkpoints").json()["checkpoints"]]


def test_a_file_becomes_one_checkpoint_that_remembers_it(web: Client, state: State, tmp_path: Path) -> None:
    path = saved(tmp_path / "resnet8.pth.tar", {"state_dict": {f"module.{k}": v for k, v in state.items()}})
    (candidate,) = looked(web, path)["candidates"]
    assert candidate["report"]["fits"] and "ResNet-8" in candidate["report"]["sentence"]
    answer = add(web, path)
    assert answer.status_code == 201
    card = web.get(answer.json()["links"]["self"]).json()
    assert card["slug"] == "resnet8"
    assert card["provenance"]["file_sha256"] == looked(web, path)["sha256"]
    assert card["provenance"]["stripped"] == ["module."]
    again = add(web, path, name="another name")
    assert (again.status_code, again.json()["slug"]) == (200, "resnet8")
    filters = web.get(card["links"]["filters"]).json()
    assert torch.allclose(torch.tensor(filters["weights"]), state["conv1.weight"], atol=1e-5)


def test_the_same_weights_seen_otherwise_are_another_checkpoint(web: Client, state: State, tmp_path: Path) -> None:
    path = saved(tmp_path / "resnet8.pth", state)
    first = add(web, path)
    choices = looked(web, path)["candidates"][0]["report"]["guess"]["preprocess"]
    other = add(web, path, preprocess=choices[1]["name"])
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["slug"] != other.json()["slug"]
    fields = add(web, path, preprocess=choices[1]["preprocess"])
    assert (fields.status_code, fields.json()["slug"]) == (200, other.json()["slug"])


def test_of_several_weights_one_must_be_chosen(web: Client, state: State, tmp_path: Path) -> None:
    teacher = {key: 0.5 * value if value.is_floating_point() else value for key, value in state.items()}
    path = saved(tmp_path / "dino.pth", {"student": state, "teacher": teacher})
    error = refused(add(web, path), 422, "which_weights")
    assert error["detail"] == {"candidates": ["student", "teacher"]}
    refused(add(web, path, candidate="neither"), 422, "unknown_candidate")
    assert add(web, path, candidate="teacher").json()["name"] == "dino teacher"


def test_what_does_not_fit_is_named_and_not_registered(web: Client, state: State, tmp_path: Path) -> None:
    partial = {key: value for key, value in state.items() if not key.startswith("layer3.0.bn2")}
    error = refused(add(web, saved(tmp_path / "p.pth", partial), architecture="cifar-resnet"), 422, "does_not_fit")
    assert "layer3.0.bn2.weight" in error["message"] and len(error["detail"]["missing"]) == 4
    bad = {**state, "conv1.weight": torch.full_like(state["conv1.weight"], torch.nan)}
    error = refused(add(web, saved(tmp_path / "n.pth", bad)), 422, "non_finite_weights")
    assert error["detail"] == {"conv1.weight": bad["conv1.weight"].numel()}
    complex_ = {**state, "conv1.weight": state["conv1.weight"].to(torch.complex64)}
    refused(add(web, saved(tmp_path / "c.pth", complex_)), 422, "unsupported_dtype")
    good = saved(tmp_path / "g.pth", state)
    refused(add(web, good, architecture="vgg16"), 422, "unknown_architecture")
    refused(add(web, good, preprocess="by magic"), 422, "bad_preprocess")
    assert registered(web) == []
    assert not list(web.app.state.settings.workspace.glob(".convert.*"))


def test_a_file_that_was_replaced_or_is_gone_is_not_registered(web: Client, state: State, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", state)
    inspection = looked(web, path)["inspection"]
    saved(path, {**state, "conv1.weight": state["conv1.weight"] + 1})
    refused(web.post("/api/checkpoints", json={"inspection": inspection}), 409, "checkpoint_changed")
    path.unlink()
    refused(web.post("/api/checkpoints", json={"inspection": inspection}), 409, "input_missing")
    refused(web.post("/api/checkpoints", json={"inspection": "0" * 64}), 404, "unknown_inspection")
    assert registered(web) == []


def test_half_precision_stays_half(web: Client, state: State, tmp_path: Path) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    slug = add(web, saved(tmp_path / "h.pth", half)).json()["slug"]
    folder = web.app.state.services.checkpoints.get(slug).folder
    assert (folder / CARD).exists() and read_card(folder).dtype == "fp16"


def test_unknown_tensors_give_their_first_filters(web: Client, tmp_path: Path) -> None:
    path = saved(tmp_path / "odd.pth", {"stem.w.weight": torch.randn(6, 3, 5, 5), "tail.weight": torch.randn(3, 6)})
    answer = add(web, path)
    assert answer.status_code == 201
    assert len(web.get(answer.json()["links"]["filters"]).json()["weights"]) == 6


def test_published_weights_are_asked_for_by_name(client_for: Clients, settings: Settings, inspector: Inspector) -> None:
    """Nothing answers at the mirror; a wrong file under the right name is refused; the server says what it has."""
    web = client_for(settings.model_copy(update={"weights_mirror": "http://127.0.0.1:9/weights"}))
    web.app.state.services.inspections.inspector = inspector

    def ask(name: str) -> tuple[int, dict[str, Any]]:
        answer = web.post("/api/checkpoints/inspect", json={"name": name})
        return answer.status_code, answer.json()["error"]

    status, offline = ask("torchvision:resnet50.IMAGENET1K_V2")
    assert (status, offline["code"]) == (404, "not_fetched")
    assert offline["detail"]["file"] == "resnet50-11ad3fa6.pth"
    assert offline["detail"]["url"].endswith("/models/resnet50-11ad3fa6.pth")
    (settings.workspace / "weights" / "resnet50-11ad3fa6.pth").write_bytes(b"something else")
    status, other = ask("torchvision:resnet50")  # the default is IMAGENET1K_V2
    assert (status, other["code"]) == (422, "not_the_weights") and "begin with 11ad3fa6" in other["message"]
    for name, words in (
        ("torchvision:resnet5", "near it are resnet50"),
        ("torchvision:resnet50.V9", "IMAGENET1K_V1, IMAGENET1K_V2."),
        ("resnet50", "named like"),
    ):
        status, unknown = ask(name)
        assert (status, unknown["code"]) == (422, "unknown_weights") and words in unknown["message"]
    page = web.post("/checkpoints/add", data={"name": "torchvision:resnet5"}, headers={"accept": "text/html"})
    assert page.status_code == 422 and 'value="torchvision:resnet5"' in page.text
    for body in ({"name": 1}, {"name": "x" * 5000}, {"name": "a", "path": "b"}):
        assert web.post("/api/checkpoints/inspect", json=body).status_code == 422
