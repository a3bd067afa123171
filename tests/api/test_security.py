"""Who may ask, and what every answer carries."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI

from app.failures import Forbidden
from app.main import create_app
from app.services.checkpoints.bundled import ensure_random_init
from app.settings import Settings
from app.web.security import cookie_name, local_path
from tests.conftest import Client, Clients

TOKEN = "correct horse battery staple"
HOME = "http://127.0.0.1:8642"
BROWSER = {"accept": "text/html"}


async def chunks(count: int, size: int, asked: list[int]) -> AsyncIterator[bytes]:
    """A body whose length is not announced; `asked` tells how much of it was taken."""
    for number in range(count):
        asked.append(number)
        yield b"x" * size


@pytest.fixture
def guarded(settings: Settings, client_for: Clients) -> Client:
    return client_for(settings.model_copy(update={"token": TOKEN}))


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "localhost", "LOCALHOST:9000", "[::1]:1", "127.0.0.1"])
def test_a_name_of_this_machine_is_answered_on_any_port(client: Client, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "a@127.0.0.1", "127.0.0.1:x", "127.0.0.1/", "127.0.0.1, b", "[::1"],
)
def test_another_name_is_a_bad_request(client: Client, host: str) -> None:
    answer = client.get("/healthz", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_host")


def test_two_host_headers_are_a_bad_request(client: Client) -> None:
    assert client.get("/healthz", headers=[("host", "localhost"), ("host", "localhost")]).status_code == 400


def test_a_further_name_can_be_allowed(settings: Settings, client_for: Clients) -> None:
    client = client_for(settings.model_copy(update={"allowed_hosts": ("lab.example",)}))
    assert client.get("/healthz", headers={"host": "lab.example"}).status_code == 200


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://127.0.0.1:8642.evil.example"},
    {"origin": "https://127.0.0.1:8642@evil.example"},
    {"origin": "file://"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": HOME, "sec-fetch-site": "cross-site"},
]
OURS = [{}, {"origin": HOME}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FROBNICATE"])
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_site_changes_nothing(client: Client, method: str, headers: dict[str, str]) -> None:
    answer = client.request(method, "/start/sample", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_origin")
    assert client.get("/api").json()["jobs"]["count"] == 0


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_our_own_pages_and_programs_may(client: Client, headers: dict[str, str]) -> None:
    assert client.post("/start/sample", headers=headers).status_code == 303


def test_an_origin_may_leave_its_default_port_out(client: Client) -> None:
    headers = {"host": "localhost:80", "origin": "http://localhost"}
    assert client.post("/start/sample", headers=headers).status_code == 303


def test_behind_a_proxy_the_public_name_is_ours_whatever_host_and_port_it_passes_on(
    settings: Settings, client_for: Clients
) -> None:
    client = client_for(settings.model_copy(update={"allowed_hosts": ("Lab.Example.org",)}))
    for host in ("127.0.0.1:8642", "lab.example.org", "lab.example.org:8642"):
        for origin in ("https://lab.example.org", "https://lab.example.org:8443", "http://LAB.example.org"):
            headers = {"host": host, "origin": origin, "sec-fetch-site": "same-origin"}
            assert client.post("/start/sample", headers=headers).status_code == 303, (host, origin)
    for origin in ("https://evil.example", "https://lab.example.org.evil.example", "http://localhost:3000"):
        refused = client.post("/start/sample", headers={"host": "lab.example.org", "origin": origin})
        assert refused.status_code == 403 and "TESSERA_ALLOWED_HOSTS" in refused.text
    sibling = {"host": "lab.example.org", "origin": "https://lab.example.org:9", "sec-fetch-site": "same-site"}
    assert client.post("/start/sample", headers=sibling).status_code == 403


def test_a_link_from_another_site_opens_the_page(client: Client) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", **BROWSER}
    assert client.get("/", headers=headers).status_code == 200


def test_another_site_gets_no_event_stream(client: Client) -> None:
    headers = {"origin": "http://evil.example", "accept": "text/event-stream"}
    assert client.get("/api/jobs/1/events", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api", "/api/nowhere", "/static/tessera.css", "/healthz"])
def test_every_answer_carries_the_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe-inline" not in headers["content-security-policy"].replace("style-src-attr 'unsafe-inline'", "")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "private, no-store")


def test_refusals_carry_the_headers_too(client: Client) -> None:
    assert client.get("/", headers={"host": "evil.example"}).headers["x-content-type-options"] == "nosniff"


def test_a_page_names_its_style_sheet_by_content_and_that_is_kept_for_ever(client: Client) -> None:
    page = client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert client.get(address).headers["cache-control"] == "public, max-age=31536000, immutable"


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route, with something in place of its parameters."""
    yield "GET", "/openapi.json"
    yield "GET", "/static/tessera.css"
    for route in app.state.routes:
        for method in route.methods:
            yield method, route.path.replace("{", "").replace("}", "")


def test_with_a_token_every_route_asks_for_it(guarded: Client) -> None:
    asked = list(routes(guarded.app))
    assert len(asked) > 40
    public = {"/healthz", "/login", "/static/tessera.css"}
    open_ones = {path for method, path in asked if guarded.request(method, path).status_code != 401}
    assert open_ones <= public


def test_the_token_opens_as_a_bearer(guarded: Client) -> None:
    assert guarded.get("/api", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/api", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get("/api", headers={"authorization": f"Basic {TOKEN}"}).status_code == 401
    assert guarded.get("/api").headers["www-authenticate"] == "Bearer"


def test_a_browser_signs_in_once(guarded: Client) -> None:
    sent = guarded.get("/jobs?state=done", headers=BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Ddone")
    assert guarded.get(sent.headers["location"], headers=BROWSER).status_code == 200

    wrong = guarded.post("/login", data={"token": "wrong"}, headers=BROWSER)
    assert wrong.status_code == 401 and "set-cookie" not in wrong.headers

    answer = guarded.post("/login", data={"token": TOKEN, "next": "/jobs?state=done"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?state=done")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    value = cookie.split(";")[0]
    assert value.startswith(cookie_name(8642))
    assert guarded.get("/api", headers={"cookie": value}).status_code == 200


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "\n//e"]
)
def test_signing_in_never_leads_to_another_site(guarded: Client, target: str) -> None:
    answer = guarded.post("/login", data={"token": TOKEN, "next": target})
    assert answer.headers["location"] == "/" == local_path(target)


def test_a_redirect_goes_by_path_and_never_to_another_site(settings: Settings, client_for: Clients) -> None:
    behind = client_for(settings.model_copy(update={"base_path": "/tessera"}))
    for client, base in ((client_for(settings), ""), (behind, "/tessera")):
        answer = client.get(f"{base}/jobs/?state=failed")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{base}/jobs?state=failed"
    hostile = client_for(settings).get("http://127.0.0.1:8642//evil.example/")
    assert not hostile.headers.get("location", "").startswith("//")


def test_a_server_for_others_needs_a_token(settings: Settings) -> None:
    with pytest.raises(Forbidden, match=r"TESSERA_TOKEN=.* --host 0\.0\.0\.0"):
        create_app(settings.model_copy(update={"host": "0.0.0.0"}))


def test_a_long_body_is_refused_before_it_is_read(client: Client) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/api/jobs", content=b" " * (1024 * 1024 + 1), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_long_body_of_unknown_length_is_cut_off(client: Client) -> None:
    taken: list[int] = []
    headers = {"content-type": "application/json"}
    answer = client.post("/api/jobs", content=chunks(300, 1024 * 1024, taken), headers=headers)
    assert answer.status_code == 413 and len(taken) < 10


def test_a_long_image_of_unknown_length_is_cut_off(client: Client) -> None:
    taken: list[int] = []
    ensure_random_init(client.app.state.services.checkpoints)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/api/checkpoints/random-init/count", content=chunks(300, 1024 * 1024, taken), headers=headers)
    assert answer.status_code in (400, 413) and len(taken) < 25


@pytest.mark.parametrize("kind", ["text/plain", "image/jpeg", "application/xml", None])
def test_a_body_of_another_type_is_refused(client: Client, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = client.post("/api/jobs", content=json.dumps({"kind": "import"}).encode(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_content_type")


TRAVERSALS = ["..%2f..%2fetc%2fpasswd", "%252e%252e%252f", "..%5c..%5cwin.ini", "%2fetc%2fpasswd", "a%00b", "....//"]


@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize("place", ["/static/", "/api/galleries/", "/api/checkpoints/", "/galleries/", "/api/jobs/"])
def test_no_path_leads_out_of_its_place(client: Client, place: str, path: str) -> None:
    answer = client.get(place + path, follow_redirects=True)
    assert answer.status_code in (404, 422), answer.text[:200]
    assert "root:" not in answer.text


JUPYTER = ("/user/jo%40example.org/proxy/8714", "/user/jo@example.org/proxy/8714")


@pytest.mark.parametrize("spelled", JUPYTER)
@pytest.mark.parametrize("asked", [f"{path}/api" for path in (*JUPYTER, "")])
def test_a_base_path_is_the_same_however_it_is_encoded(
    settings: Settings, client_for: Clients, spelled: str, asked: str
) -> None:
    client = client_for(Settings(**{**settings.model_dump(), "base_path": spelled}))
    assert client.get(asked).status_code == 200
    assert client.get(asked.removesuffix("/api") + "/galleries", headers=BROWSER).status_code == 200
