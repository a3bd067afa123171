"""The head that all pages share, and the base class of what fills a page's template.

The context of a page is a frozen dataclass in a folder of app/routes/. It names its template, and its fields are the
template's variables:

    @dataclass(frozen=True)
    class GalleriesContext(PageContext):
        template: ClassVar[str] = "galleries.html"
        entries: tuple[Entry, ...]
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

from app.settings import Settings
from app.web.sizes import IMAGE_LIMIT, MEGABYTE, UPLOAD_LIMIT

NAVIGATION = (
    ("Galleries", "/galleries"),
    ("Checkpoints", "/checkpoints"),
    ("Scans", "/scans"),
    ("Clusters", "/clusters"),
    ("Tasks", "/tasks"),
    ("Transfer", "/transfer"),
    ("Results", "/results"),
    ("Jobs", "/jobs"),
    ("API", "/docs"),
)


@dataclass(frozen=True)
class PageContext:
    """The variables of one template; `template` is the name of its file in templates/."""

    template: ClassVar[str]


@dataclass(frozen=True)
class Globals:
    """The variables and functions that every template and macro can use."""

    url: Callable[[str], str]  # the address of a path of this application, with the base path
    static: Callable[[str], str]  # the address of a file in static/, with its version
    image_megabytes: int = IMAGE_LIMIT // MEGABYTE  # how large one image may be
    upload_megabytes: int = UPLOAD_LIMIT // MEGABYTE  # how large all files of one upload into a gallery may be


@dataclass(frozen=True)
class NavigationLink:
    """A link in the head of the page; `current` is the value of aria-current, empty for other parts of the site."""

    name: str
    address: str
    current: str


@dataclass(frozen=True)
class OwnPhoto:
    """The form for a visitor's own photo in the head of a page: the address it is sent to, and what its button says."""

    action: str
    label: str


@dataclass(frozen=True)
class Frame:
    """The variables of base.html.

    `own_photo` is None where that form is not shown; `sign_out` says whether the button to sign out is shown.
    """

    navigation: tuple[NavigationLink, ...]
    own_photo: OwnPhoto | None
    sign_out: bool


def frame(settings: Settings, path: str) -> Frame:
    """The frame of the page at `path`, which is without the base path."""
    signing_in = path == "/login"
    return Frame(
        navigation=tuple(NavigationLink(name, settings.url(to), _current(path, to)) for name, to in NAVIGATION),
        own_photo=None if signing_in else _own_photo(settings, path),
        sign_out=settings.token is not None and not signing_in,
    )


def variables(given: PageContext | Frame | Globals) -> dict[str, object]:
    """The fields of `given` by name; their values are not copied."""
    return {field.name: getattr(given, field.name) for field in fields(given)}


def _current(path: str, address: str) -> str:
    if path == address:
        return "page"
    return "true" if path.startswith(f"{address}/") else ""


def _own_photo(settings: Settings, path: str) -> OwnPhoto:
    if path == "/":
        return OwnPhoto(settings.url("/photo?to=home"), "See your own photo through all four panels")
    return OwnPhoto(settings.url("/photo"), "Count in your own photo")
