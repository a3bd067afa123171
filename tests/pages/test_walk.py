"""A visitor who follows every link: each page is whole, at every width, with JavaScript and without."""

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from app.services.assembly import build_services
from app.settings import Settings
from tests.conftest import Client, Clients, Server
from tests.making import Workspace
from tests.test_serving import serving

Asked = httpx.Client | Client

MOST = 80
WIDTHS = (1280, 390)
HTML = {"accept": "text/html"}
ALIKE = re.compile(r"(?<=/)\d+(?=/|$)|(?<=/)(conv|fc)\d(?=/|$)")

# What is wrong with the page as it is shown now, in words.
FAULTS = """() => {
  const found = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) found.push(`${wide} px too wide at ${window.innerWidth}`);
  if (all("h1").length !== 1) found.push(`${all("h1").length} h1`);
  if (!document.title.trim()) found.push("no title");
  if (all("main").length !== 1) found.push("no main");
  if (!document.documentElement.lang) found.push("no language");
  const ids = all("[id]").map((node) => node.id);
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
  if (twice.length) found.push(`ids twice: ${twice.slice(0, 3)}`);
  const bare = all("img:not([alt])").length;
  if (bare) found.push(`${bare} images without alt`);
  const named = (node) => node.labels?.length || node.ariaLabel || node.getAttribute("aria-labelledby") || node.title;
  const fields = all("input:not([type=hidden]):not([type=submit]), select, textarea").filter((node) => !named(node));
  if (fields.length) found.push(`fields without a label: ${fields.map((node) => node.name || node.id)}`);
  const silent = (node) => !node.textContent.trim() && !named(node) && !node.querySelector("img:not([alt=''])");
  const empty = all("a[href]:not([aria-hidden]), button").filter((node) => node.checkVisibility() && silent(node));
  if (all(".toolbar").some((node) => !node.textContent.trim())) found.push("an empty toolbar");
  if (empty.length) found.push(`links or buttons without words: ${empty[0].outerHTML.slice(0, 120)}`);
  return found;
}"""
LOADED = """() => [...document.images].every((image) => {
  const box = image.getBoundingClientRect();
  const [wide, high] = [window.innerWidth, window.innerHeight];
  const shown = box.width && box.bottom > 0 && box.top < high && box.right > 0 && box.left < wide;
  return !shown || (image.complete && image.naturalWidth > 0);
})"""


def links(html: str, address: str) -> list[str]:
    """The pages of this server that a page leads to, without what follows `#`."""
    found = (urljoin(address, unescape(link)) for link in re.findall(r'<a\b[^>]*\shref="([^"]*)"', html))
    here = urlsplit(address).netloc
    kept = dict.fromkeys(urldefrag(link).url for link in found if urlsplit(link).netloc == here)
    return [link for link in kept if not re.search(r"/api(/|$)|\.(json|png|npy|jpg)$|/metrics$", urlsplit(link).path)]


def template(address: str) -> str:
    """What a page has in common with those like it: its path without numbers, and which questions it was asked."""
    parts = urlsplit(address)
    asked = sorted(pair.partition("=")[0] for pair in parts.query.split("&") if pair)
    return f"{ALIKE.sub('#', parts.path)}?{'&'.join(asked)}"


def walk(web: Asked, starts: list[str], allowed: tuple[int, ...] = (200,)) -> Iterator[tuple[str, httpx.Response]]:
    """Addresses breadth first, one of each template, with their answers."""
    todo, seen = list(starts), set[str]()
    while todo and len(seen) < MOST:
        address = todo.pop(0)
        if template(address) in seen:
            continue
        seen.add(template(address))
        answer = web.get(address, headers=HTML)
        assert answer.status_code in allowed, f"{address}: {answer.status_code}"
        yield address, answer
        if answer.headers["content-type"].startswith("text/html"):
            todo += links(answer.text, address)


@pytest.fixture(scope="module")
def pages(web: httpx.Client, server: Server, predictor: None) -> list[str]:  # noqa: ARG001
    """Pages that links lead to, those of an uploaded image, and one that is not there."""
    scan, checkpoint = f"/scans/{server.workspace.scan}", f"/checkpoints/{server.workspace.checkpoint}"
    found = [address for address, _ in walk(web, [f"{server.url}/"])]
    paths = {urlsplit(address).path for address in found}
    assert {"/docs", "/jobs", f"{checkpoint}/filters", f"{checkpoint}/count", f"{scan}/search"} <= paths
    assert len(found) > 30
    photo = next(server.workspace.photos.rglob("*.jpg")).read_bytes()
    for path in (f"{scan}/search", f"{checkpoint}/count"):
        answer = web.post(path, files={"file": ("own.jpg", photo)}, headers=HTML)
        assert answer.status_code == 303
        found.append(urljoin(server.url, answer.headers["location"]))
    return found


def test_every_page_is_whole_and_fits_wide_and_narrow(tab: Page, pages: list[str]) -> None:
    """The tab itself fails on an error in its console, and on a violation of the content policy."""
    faults: dict[str, list[str]] = {}
    for address in pages:
        answer = tab.goto(address, wait_until="load")
        assert answer is not None and answer.status == 200, address
        wrong = []
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            tab.wait_for_function(LOADED, timeout=15_000)
            wrong += tab.evaluate(FAULTS)
        if wrong:
            faults[address] = wrong
    assert faults == {}


@pytest.fixture
def plain_tab(browser: Browser, server: Server) -> Iterator[Page]:
    """A page that runs no scripts."""
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_every_page_says_the_same_without_javascript(plain_tab: Page, web: httpx.Client, pages: list[str]) -> None:
    """One page of each kind, whatever it was asked."""
    for address in {template(address).partition("?")[0]: address for address in pages}.values():
        plain_tab.goto(address, wait_until="domcontentloaded")
        served = re.findall(r"<h1[^>]*>(.*?)</h1>", web.get(address, headers=HTML).text, re.S)
        shown = plain_tab.locator("h1").all_text_contents()
        assert [words(text) for text in shown] == [words(re.sub(r"<[^>]+>", "", text)) for text in served], address
        assert len(shown) == 1 and words(shown[0])
        assert words(plain_tab.locator("main").inner_text()), address


def words(text: str) -> str:
    return " ".join(unescape(text).split())


def test_what_is_not_there_is_a_page_too(tab: Page, web: httpx.Client) -> None:
    html = web.get("/nowhere", headers=HTML).text
    tab.set_content(html)  # going there would log the 404 as an error
    assert tab.locator("h1").count() == 1 and "404" in tab.locator("main").inner_text()


@pytest.mark.usefixtures("predictor")
def test_below_a_base_path_every_address_carries_it(server: Server, workspace: Workspace, client_for: Clients) -> None:
    """Links, pictures, scripts, styles, forms, data for scripts: all that a page can load or lead to."""
    settings = Settings(workspace=workspace.path, base_path="/lab")
    client = client_for(settings)
    client.app.state.services.store.close()
    client.app.state.services = build_services(settings, predictor=server.app.state.predictor)
    bare = re.compile(r"""(?<![\w/.-])/(?:api|galleries|checkpoints|scans|jobs|uploads|static|start)(?=[/"?])[^<\s]*""")
    found = list(walk(client, ["http://127.0.0.1:8642/lab/"]))
    assert len(found) > 30
    for address, answer in found:
        shown = re.sub(r"<code>.*?</code>", "", answer.text)  # the interface's own addresses, on the page about it
        assert bare.findall(shown) == [], address


@pytest.mark.jobs
def test_the_server_never_loads_torch_whatever_is_asked(workspace: Workspace, tmp_path: Path) -> None:
    """Every page, and every address of the interface that reads, in a server that is a process of its own."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    shutil.copytree(workspace.path, tmp_path / "copy")
    with serving(tmp_path / "copy", 8800) as (process, url), httpx.Client(base_url=url, timeout=60) as web:
        asked = [address for address, _ in walk(web, [url, *api_reads(web, url, workspace)], (200, 409, 422, 503))]
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
        assert len(asked) > 50 and "faiss" in loaded
        assert "libtorch" not in loaded and "/torch/" not in loaded


def api_reads(web: httpx.Client, url: str, workspace: Workspace) -> list[str]:
    """Every GET of the OpenAPI document, about things that there are."""
    slugs = {"gallery": workspace.gallery, "checkpoint": workspace.checkpoint, "scan": workspace.scan}
    slugs |= {"clustering": workspace.clustering, "cluster": "0", "chain": "1"}
    names = {**slugs, "job": "1", "task": "counting", "layer": "conv2", "row": "0", "unit": "0"}
    paths = web.get("/openapi.json").json()["paths"]
    reads = [
        path
        for path in paths
        if "get" in paths[path] and not re.search("{(upload|view|chain|inspection)}|/truth$|/results", path)
    ]
    return [urljoin(url, f"{path.format(**names)}?row=0&gallery={workspace.gallery}") for path in reads]
