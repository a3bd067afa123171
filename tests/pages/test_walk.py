"""A visitor who follows every link: each page is whole, at every width, with JavaScript and without."""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import Server

MOST = 60
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


def walk(web: httpx.Client, start: str, most: int) -> list[str]:
    """Pages breadth first, one of each template, by a browser that only reads."""
    todo, seen, found = [start], set[str](), []
    while todo and len(found) < most:
        address = todo.pop(0)
        if template(address) in seen:
            continue
        seen.add(template(address))
        answer = web.get(address, headers=HTML)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        assert answer.headers["content-type"].startswith("text/html"), address
        found.append(address)
        todo += links(answer.text, address)
    return found


@pytest.fixture(scope="module")
def pages(web: httpx.Client, server: Server, predictor: None) -> list[str]:  # noqa: ARG001
    found = walk(web, f"{server.url}/", MOST)
    print('PAGES', len(found), *found, sep='\n')
    paths = Counter(urlsplit(address).path for address in found)
    where, scan = f"/checkpoints/{server.workspace.checkpoint}", f"/scans/{server.workspace.scan}"
    assert {"/", "/docs", "/galleries", "/jobs", where, f"{where}/filters", f"{where}/count", scan} <= set(paths)
    assert {f"{scan}/search", f"/galleries/{server.workspace.gallery}"} <= set(paths)
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
    for address in pages:
        plain_tab.goto(address, wait_until="domcontentloaded")
        headings = plain_tab.locator("h1").all_inner_texts()
        served = re.findall(r"<h1[^>]*>(.*?)</h1>", web.get(address, headers=HTML).text, re.S)
        assert len(headings) == len(served) == 1 and headings[0].strip(), address
        assert plain_tab.locator("main").inner_text().strip(), address
