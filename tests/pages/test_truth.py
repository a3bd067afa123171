"""The lines over a scene can be dragged, and the table follows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.services.jobs.submissions.import_images import CountablesFrom, NewGallery
from app.services.services import Services
from app.serving import bind
from app.settings import Settings
from models.countables.truth import count, tiles
from models.galleries.packs import Pack
from tests.conftest import application, live
from tests.making import run_jobs


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Pack]]:
    """A server over twelve scenes."""
    place: Path = tmp_path_factory.mktemp("scenes")
    listener = bind("127.0.0.1", 0)
    app = application(Settings(workspace=place, port=listener.getsockname()[1]))
    services: Services = app.state.services
    wanted = CountablesFrom(kind="countables", scenes=12, sweeps=False)
    services.galleries.create(NewGallery(name="scenes", source=wanted))
    run_jobs(services)
    with live(app, listener) as url:
        yield url, services.galleries.pack("scenes")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def test_dragging_a_line_or_pressing_an_arrow_key_recounts_the_tiles(page: Page, scenes: tuple[str, Pack]) -> None:
    url, pack = scenes
    numbers = [(scene or {})["number"] for scene in pack.scenes()]
    row = numbers.index(max(numbers))
    truth = pack.truth(row)
    assert truth is not None
    page.goto(f"{url}/galleries/scenes/images/{row}")
    box = page.locator(".truth-picture").bounding_box()
    assert box is not None
    scale = box["width"] / 256
    page.mouse.move(box["x"] + 128 * scale, box["y"] + 40 * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + 90 * scale, box["y"] + 44 * scale, steps=4)
    page.mouse.up()
    shown(page, truth, 90, 128)
    page.keyboard.press("ArrowRight")
    shown(page, truth, 94, 128)
    page.reload()
    shown(page, truth, 94, 128)


def shown(page: Page, truth: dict, x: int, y: int) -> None:  # type: ignore[type-arg]
    """The address and every cell say what the truth holds under these lines."""
    expect(page.locator('input[name="lines"]')).to_have_value(f"{x},{y}")
    for index, tile in enumerate(tiles(truth, x, y), start=1):
        counted = count(truth, tile)
        for kind, number in counted.present.items():
            expect(page.locator(f'[data-count="present {kind} {index}"]')).to_have_text(str(number))
            share = float(counted.fractional[kind])
            text = f"{share:.0f}" if share == round(share) else f"{share:.2f}"
            expect(page.locator(f'[data-count="fractional {kind} {index}"]')).to_have_text(text)
    assert f"lines={x},{y}" in page.url


def test_outlines_can_be_hidden_without_javascript(browser: Browser, scenes: tuple[str, Pack]) -> None:
    url, pack = scenes
    row = next(n for n, scene in enumerate(pack.scenes()) if (scene or {})["number"])
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{url}/galleries/scenes/images/{row}")
    outlines = page.locator(".truth-outlines")
    expect(outlines).to_be_visible()
    page.locator(".truth-toggle").uncheck()
    expect(outlines).to_be_hidden()
    page.locator('input[name="lines"]').fill("64,200")
    page.get_by_role("button", name="Move").click()
    expect(page.locator('input[name="lines"]')).to_have_value("64,200")
    context.close()
