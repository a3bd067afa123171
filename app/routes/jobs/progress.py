"""JSON of how a training does on held-out images."""

from fastapi import APIRouter
from fastapi.responses import Response

from app.deps import ServicesDep, SettingsDep
from app.routes.pictures import ImageAddress
from app.services.training.progress import ValidationView, validation_view, view_picture
from app.settings import Settings
from app.web.responses import Json, answers
from models.counting.training_views import whole_over_tiles

router = APIRouter()


@router.get("/api/jobs/{job}/looks")
def job_looks(job: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Measures on held-out images at every validation of a training, and the views of one image.

    For a network that counts, also the totals that it counts in each view.
    """
    record = services.jobs.get(job)
    folder = services.jobs.folder(record)
    shown = validation_view(record, folder)
    if shown is None:
        return Json({"image": None, "images": 0, "collapsed": None, "looks": [], "views": []})
    return Json(shape(shown, f"/api/jobs/{record.id}", settings))


def shape(shown: ValidationView, here: str, settings: Settings) -> dict[str, object]:
    """All validations of a training as JSON."""
    page = ImageAddress(settings, shown.gallery, shown.row).page
    return {
        "image": {"gallery": shown.gallery, "row": shown.row, "links": {"page": page}},
        "images": shown.images,
        "collapsed": shown.collapsed,
        "question": shown.question or None,
        "guessing": dict(shown.guessed),
        "views": [
            {"name": view.picture, "caption": view.name, "picture": settings.url(f"{here}/views/{view.picture}.png")}
            for view in shown.views
        ],
        "looks": [
            {
                "step": point.step,
                "measures": dict(point.measures),
                "totals": point.totals,
                "ratio": whole_over_tiles(point.totals) if point.totals else None,
            }
            for point in shown.points
        ],
    }


@router.get("/api/jobs/{job}/views/{view}.png", response_class=Response, responses=answers("image/png"))
def job_view_picture(job: str, view: str, services: ServicesDep) -> Response:
    """One view of a training's fixed image: `whole`, `tile-1` to `tile-4` if it counts, else `view-1` and so on."""
    picture = view_picture(services.jobs.folder(services.jobs.get(job)), view)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
