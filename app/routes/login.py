"""Signing in to a server that asks for a token: it is typed once, then a cookie stands for it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app.deps import SettingsDep
from app.settings import Settings
from app.web.frame import PageContext
from app.web.security import cookie_name, cookie_value, local_path, same_text
from app.web.templating import page

router = APIRouter(include_in_schema=False)

NextQuery = Annotated[str, Query(alias="next", max_length=2000)]


@dataclass(frozen=True)
class LoginContext(PageContext):
    """The form that asks for the token: the path it leads to afterwards, and whether a wrong token was typed."""

    template: ClassVar[str] = "login.html"
    after: str
    wrong: bool


@router.get("/login")
def login(request: Request, settings: SettingsDep, after: NextQuery = "/") -> HTMLResponse:
    """The form that asks for the token."""
    return page(request, LoginContext(landing(after, settings), wrong=False))


@router.post("/login", response_model=None)
def sign_in(
    request: Request,
    settings: SettingsDep,
    token: Annotated[str, Form(max_length=1000)],
    after: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> HTMLResponse | RedirectResponse:
    """Sets the cookie and goes on to the page that the visitor asked for, which is always one of this server."""
    target = landing(after, settings)
    if settings.token is None or not same_text(token.strip(), settings.token):
        return page(request, LoginContext(target, wrong=True), status=401)
    response = RedirectResponse(target, status_code=303)
    secure = request.url.scheme == "https"
    name, value, path = cookie_name(settings.port), cookie_value(settings.token), settings.base_path or "/"
    response.set_cookie(name, value, path=path, secure=secure, httponly=True, samesite="strict")
    return response


@router.post("/logout")
def sign_out(settings: SettingsDep) -> RedirectResponse:
    """Forgets the cookie."""
    response = RedirectResponse(settings.url("/login"), status_code=303)
    response.delete_cookie(cookie_name(settings.port), path=settings.base_path or "/", httponly=True, samesite="strict")
    return response


def landing(after: str, settings: Settings) -> str:
    """The path that follows signing in: `after` below the base path, or the first page if it is not on this server."""
    path = local_path(after)
    return settings.url("/") if path == "/" else path
