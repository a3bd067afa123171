"""Query images that visitors uploaded, served as our own re-encode."""

from fastapi import APIRouter
from fastapi.responses import Response

from app.deps import ServicesDep
from app.web.responses import answers

router = APIRouter()

# Whatever a browser makes of these bytes, it may not run them, and they may not pose as a page of this site.
HEADERS = {
    "Cache-Control": "private, max-age=86400",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "inline",
}


@router.get("/uploads/{upload}.jpg", response_class=Response, responses=answers("image/jpeg"))
def show_upload(upload: str, services: ServicesDep) -> Response:
    """The stored JPEG of an upload."""
    return Response(services.uploads.jpeg(upload), media_type="image/jpeg", headers=HEADERS)
