"""A file of weights in the browser: taken, told about, registered; refused with what to do instead."""

import re
import shutil
from collections import OrderedDict
from html import unescape
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from playwright.sync_api import Page, Route, expect
from torch import Tensor

from app.inspector.client import Inspector
from app.routes.foreign.page_routes import own_preprocess
from app.services.foreign.checkpoints import NewCheckpoint, told_apart
from app.services.jobs.submissions.import_images import FolderFrom, NewGallery
from app.settings import Settings
from tests.conftest import Client, Clients, Server
from tests.making import run_jobs
from tests.models.foreign.files import malicious, saved
from tests.models.foreign.networks import CifarNet
from tests.waiting import wait_until

State = dict[str, Tensor]
HTML = {"accept": "text/html"}


@pytest.fixture
def web(client: Client, inspector: Inspector) -> Client:
    """A client of an empty workspace whose files are read by the run's one inspector."""
    client.app.state.services.inspections.inspector = inspector
    return client


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return OrderedDict(CifarNet(depth=1).state_dict())


def send(web: Client, path: Path) -> httpx.Response:
    return web.post("/checkpoints/add", files={"file": (path.name, path.read_bytes())}, headers=HTML)


def looked(web: Client, path: Path, query: str = "") -> tuple[str, str]:
    """The address of the page that a file leads to, and its text."""
    answer = send(web, path)
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    shown = web.get(where + query, headers=HTML)
    assert shown.status_code == 200
    return where, unescape(shown.text)


def fields(page: str) -> dict[str, str]:
    """What the form that registers would send as it is first shown."""
    form = page.split('id="register"')[1].split("</form>")[0]
    found = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form))
    chosen = re.findall(r'name="preparation" value="([^"]*)" checked', form)
    return {**found, **({"preparation": chosen[0]} if chosen else {})}


def test_the_way_there_begins_at_home_and_at_the_list(web: Client) -> None:
    assert 'href="/checkpoints/add"' in web.get("/checkpoints").text
    assert 'href="/checkpoints/add"' in web.get("/").text
    page = web.get("/checkpoints/add").text
    assert 'enctype="multipart/form-data"' in page and 'name="path"' in page and ".caffemodel" in page
    assert page.count("<waiting-form") == 2 and 'name="name"' in page
    assert {it["format"] for it in web.get("/api/checkpoints/add").json()["formats"]} >= {"safetensors", "npz"}


def test_a_file_is_told_about_and_registered_as_assumed(web: Client, state: State, tmp_path: Path) -> None:
    where, page = looked(
        web, saved(tmp_path / "my net.pth", {"state_dict": {f"module.{k}": v for k, v in state.items()}})
    )
    for words in ("ResNet-8 for CIFAR", "44 of 44 tensors matched", "conv1 of 3x3", "module.", "classes, 10"):
        assert words in page, words
    assert "data:image/png;base64," in page and "so few pixels" in page
    assert "akamaster" in page  # the reason of the preprocessing
    form = fields(page)
    assert (form["name"], form["preparation"]) == ("my net", "ImageNet mean and deviation")
    answer = web.post(where, data=form, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/checkpoints/my-net")
    assert web.get("/checkpoints/my-net").status_code == 200
    again = web.post(where, data={**form, "name": "other"}, headers=HTML)
    assert again.headers["location"] == "/checkpoints/my-net"


def test_preprocessing_is_what_was_typed(web: Client, state: State, tmp_path: Path) -> None:
    where, page = looked(web, saved(tmp_path / "n.pth", state))
    typed = {"side": "40", "resize": "48", "colour": "bgr", "range": "255", "normalise": "mean_std"}
    typed |= {"mean": "104, 117, 123", "std": "1 1 1", "preparation": "own"}
    answer = web.post(where, data={**fields(page), **typed}, headers=HTML)
    how = web.get(f"/api{answer.headers['location']}").json()["preprocessing"]
    assert (how["trunk_size"], how["resize"], how["colour"], how["scale"]) == (40, 48, "bgr", 255.0)
    assert how["mean"] == [104, 117, 123]
    for wrong, words in (({"side": "many"}, "whole number"), ({"std": "0, 0, 0"}, "above 0"), ({"mean": "x"}, "means")):
        refused = web.post(where, data={**fields(page), **typed, **wrong}, headers=HTML)
        assert refused.status_code == 422 and words in refused.text
        assert 'value="own" checked' in refused.text and 'value="48"' in refused.text  # what was typed stays
    assert own_preprocess({**typed, "resize": ""})["resize"] == 40


def test_student_or_teacher_is_a_choice(web: Client, state: State, tmp_path: Path) -> None:
    teacher = {key: 0.5 * value if value.is_floating_point() else value for key, value in state.items()}
    where, page = looked(web, saved(tmp_path / "dino.pth", {"student": state, "teacher": teacher}))
    assert f'{where}?candidate=student" aria-current="true"' in page
    chosen = unescape(web.get(f"{where}?candidate=teacher").text)
    assert fields(chosen)["candidate"] == "teacher" and fields(chosen)["name"] == "dino teacher"
    assert web.get(f"{where}?candidate=neither", headers=HTML).status_code == 404
    assert told_apart("teacher/backbone", ["student/backbone", "teacher/backbone"]) == "teacher"
    assert told_apart("model", ["model"]) == ""


def test_what_does_not_fit_is_listed_and_not_offered(web: Client, state: State, tmp_path: Path) -> None:
    partial = {key: value for key, value in state.items() if not key.startswith("layer3.0.bn2")}
    partial["odd.weight"] = torch.ones(2, 2)
    where, page = looked(web, saved(tmp_path / "p.pth", partial))
    assert "5 missing" not in page and "4 missing, 1 unexpected" in page
    assert "layer3.0.bn2.running_var" in page and "odd.weight" in page
    assert "It cannot be registered so" in page and "Register this checkpoint" not in page
    alone = re.search(r'href="([^"]*)">Study the first-layer filters alone', web.get(where).text)
    assert alone is not None
    assert "filters of conv1 alone" in unescape(web.get(unescape(alone[1])).text)


def test_an_unknown_network_shows_tensors_and_its_filters_alone(web: Client, tmp_path: Path) -> None:
    content = {"stem.w.weight": torch.randn(6, 3, 5, 5), "tail.weight": torch.randn(3, 6)}
    where, page = looked(web, saved(tmp_path / "odd.pth", content))
    assert (
        "Unknown architecture" in page
        and "total-variation ratio" in page
        and "6×3×5×5" in page
        and "tail.weight" in page
    )
    answer = web.post(where, data=fields(page), headers=HTML)
    assert web.get(f"{answer.headers['location']}/filters").status_code == 200
    named = web.get(f"{where}?architecture=torchvision:resnet18", headers=HTML)
    assert named.status_code == 200 and "tensors matched as resnet18 of torchvision" in named.text
    assert web.get(f"/api{where}?architecture=torchvision:resnet18").json()["named"]["fits"] is False
    wrong = web.get(f"{where}?architecture=a+cathedral", headers=HTML)
    assert wrong.status_code == 422 and "cannot be" in unescape(wrong.text) and "Unknown architecture" in wrong.text


def test_weights_that_are_not_finite_are_flagged_and_need_a_yes(web: Client, state: State, tmp_path: Path) -> None:
    bad = {**state, "conv1.weight": torch.full_like(state["conv1.weight"], torch.nan)}
    where, page = looked(web, saved(tmp_path / "nan.pth", bad))
    assert "Weights to doubt" in page and "432 of 432 values are NaN or infinite" in page
    form = fields(page)
    form.pop("accept_non_finite")
    assert web.post(where, data=form, headers=HTML).status_code == 422
    assert web.post(where, data={**form, "accept_non_finite": "true"}, headers=HTML).status_code == 303


def test_refusals_say_what_to_do_instead(web: Client, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    answer = send(web, malicious(tmp_path / "evil.pth", canary, "zip"))
    assert answer.status_code == 422 and "unsafe_checkpoint" in answer.text and "evil.pth" in answer.text
    np.save(tmp_path / "objects.npy", np.array({"conv": np.ones(3)}, dtype=object), allow_pickle=True)
    answer = send(web, tmp_path / "objects.npy")
    assert answer.status_code == 422 and "pickle" in answer.text
    (tmp_path / "net.onnx").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    assert send(web, tmp_path / "net.onnx").status_code == 415
    assert not canary.exists()
    away = web.post("/checkpoints/add", data={"path": "/etc/passwd"}, headers=HTML)
    assert away.status_code == 403 and "TESSERA_ROOTS" in away.text and 'value="/etc/passwd"' in away.text
    assert web.post("/checkpoints/add", data={"path": str(tmp_path / "no.pth")}, headers=HTML).status_code == 404
    assert web.post("/checkpoints/add", data={"path": "no.pth"}, headers=HTML).status_code == 422
    assert web.post("/checkpoints/add", files={"other": ("x", b"x")}, headers=HTML).status_code == 422
    assert web.get(f"/inspections/{'0' * 64}", headers=HTML).status_code == 404


def test_a_path_on_the_server_is_looked_into_where_it_lies(web: Client, state: State, tmp_path: Path) -> None:
    path = saved(tmp_path / "here.pth", state)
    answer = web.post("/checkpoints/add", data={"path": f" {path} "}, headers=HTML)
    assert answer.status_code == 303
    assert "it stays where it is" in web.get(answer.headers["location"]).text and path.exists()


def test_too_large_a_file_is_a_413(client_for: Clients, settings: Settings) -> None:
    web = client_for(settings.model_copy(update={"checkpoint_mb": 1}))
    answer = web.post("/checkpoints/add", files={"file": ("big.pth", bytes(2 << 20))}, headers=HTML)
    assert answer.status_code == 413


def test_a_checkpoint_is_checked_on_a_gallery_and_prepared_otherwise(
    web: Client, state: State, photos: Path, settings: Settings
) -> None:
    """Forty photos are too few for a verdict; what is not there is a 404."""
    services = web.app.state.services
    photos = Path(shutil.copytree(photos, settings.roots[0] / "photos"))
    gallery = services.galleries.create(NewGallery(name="few", source=FolderFrom(kind="folder", path=str(photos))))
    run_jobs(services)
    path = saved(settings.roots[0] / "small.pth", state)
    record = services.inspections.look(str(path))
    slug = services.foreign.add(NewCheckpoint(record.id)).checkpoint.slug
    assert "Not checked" in web.get(f"/checkpoints/{slug}").text
    assert "Not checked yet" in web.get(f"/checkpoints/{slug}/sanity").text
    answer = web.post("/start/sanity", data={"checkpoint": slug, "gallery": gallery.gallery.slug}, headers=HTML)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/jobs/")
    run_jobs(services)
    assert "cannot tell" in web.get(f"/checkpoints/{slug}").text
    page = unescape(web.get(f"/checkpoints/{slug}/sanity?on=few").text)
    assert "Cannot tell: 40 labelled images are fewer than the 300" in page
    (check,) = web.get(f"/api/checkpoints/{slug}/sanity").json()["checks"]
    assert (check["verdict"], check["images"], check["neighbours"]) == ("unknown", 40, 10)
    assert [one["name"] for one in check["variants"]][:3] == ["as registered", "CIFAR mean and deviation", "-1 to 1"]
    assert check["own"]["error"] > 0 and page.count("Use this one") == len(check["variants"]) - 1
    assert check["layers"][0]["name"] == "conv1"
    other = web.post(f"/checkpoints/{slug}/preparation", data={"gallery": "few", "variant": "2"}, headers=HTML)
    how = web.get(f"/api{other.headers['location']}").json()["preprocessing"]
    assert how["mean"] == [0.5, 0.5, 0.5] and other.headers["location"] != f"/checkpoints/{slug}"
    same = web.post(f"/api/checkpoints/{slug}/preparation", json={"preprocess": how})
    assert (same.status_code, same.json()["slug"]) == (200, other.headers["location"].rpartition("/")[2])
    bad = web.post(f"/api/checkpoints/{slug}/preparation", json={"preprocess": {**how, "std": [0, 0, 0]}})
    assert (bad.status_code, bad.json()["error"]["code"]) == (422, "bad_preprocess")
    wrong = {"gallery": "few", "variant": "90"}
    assert web.post(f"/checkpoints/{slug}/preparation", data=wrong, headers=HTML).status_code == 404
    assert web.get(f"/checkpoints/{slug}/sanity?on=none", headers=HTML).status_code == 404
    assert web.get("/checkpoints/none/sanity", headers=HTML).status_code == 404


def test_from_a_file_to_its_filters_in_a_browser(
    tab: Page, server: Server, inspector: Inspector, state: State, tmp_path: Path
) -> None:
    """Chosen, told about, a value edited, registered, filters; the tab fails on a violation of the content policy."""
    server.services.inspections.inspector = inspector
    path = saved(tmp_path / "brought.pth", {"state_dict": state})
    tab.goto("/checkpoints")
    tab.get_by_role("link", name="Bring a checkpoint").first.click()
    tab.set_input_files("#weights-file", str(path))  # sent at once
    tab.wait_for_url("**/inspections/*", timeout=120_000)  # the reader may still be importing torch
    expect(tab.locator("#what")).to_contain_text("44 of 44 tensors matched")
    expect(tab.locator("#filters img")).to_be_visible()
    tab.get_by_text("-1 to 1", exact=True).click()
    expect(tab.locator("#p-mean")).to_have_value("0.5, 0.5, 0.5")
    tab.locator("#register summary").click()
    tab.locator("#p-side").fill("36")
    tab.locator("#p-resize").fill("40")
    expect(tab.locator("[name=preparation][value=own]")).to_be_checked()
    tab.get_by_role("button", name="Register this checkpoint").click()
    tab.wait_for_url("**/checkpoints/brought")
    assert tab.get_by_role("button", name="Scan it").count() == 1
    tab.get_by_role("link", name="First filters").first.click()
    tab.wait_for_url("**/checkpoints/brought/filters*")
    assert tab.locator("#trained .filter").count() == 16


@pytest.mark.parametrize(("path", "field"), [("/checkpoints/add", "#weights-file"), ("/", "#own-photo")])
def test_a_file_that_is_chosen_before_the_script_is_there_is_sent_all_the_same(
    tab: Page, path: str, field: str
) -> None:
    held, sent = list[Route](), list[str]()

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url)
            return route.fulfill(status=204)
        return held.append(route) if "-drop.js" in route.request.url else route.continue_()

    tab.route("**/*", answer)
    tab.goto(path, wait_until="commit")
    tab.set_input_files(field, {"name": "a.png", "mimeType": "image/png", "buffer": b"anything"})
    tab.wait_for_timeout(200)
    assert held and not sent
    for route in held:
        route.continue_()
    wait_until(lambda: bool(tab.evaluate("1") and sent), 30)
