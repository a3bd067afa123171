"""Serves query images that visitors uploaded, as JPEG files that the server has encoded anew."""

from fastapi import APIRouter
from fastapi.responses import Response

from app.deps import ServicesDep
from app.web.responses import answers

router = APIRouter()

# Whatever a browser takes these bytes for, it must neither run them nor treat them as a page of this site.
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
