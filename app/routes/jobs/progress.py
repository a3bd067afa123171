"""What a training sees when it looks at held-out images, by REST."""

from fastapi import APIRouter
from fastapi.responses import Response

from app.deps import ServicesDep, SettingsDep
from app.routes.pictures import ImageAddress
from app.services.training.progress import LookView, look_view, view_picture
from app.settings import Settings
from app.web.responses import Json, answers
from models.counting.training_views import whole_over_tiles

router = APIRouter()


@router.get("/api/jobs/{job}/looks")
def job_looks(job: str, services: ServicesDep, settings: SettingsDep) -> Json:
    """Measures on held-out images at each look of a training, and one image's views, with their totals if it counts."""
    record = services.jobs.get(job)
    folder = services.jobs.folder(record)
    shown = look_view(record, folder)
    if shown is None:
        return Json({"image": None, "images": 0, "collapsed": None, "looks": [], "views": []})
    return Json(shape(shown, f"/api/jobs/{record.id}", settings))


def shape(shown: LookView, here: str, settings: Settings) -> dict[str, object]:
    """The looks as JSON."""
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
                "step": look.step,
                "measures": dict(look.measures),
                "totals": look.totals,
                "ratio": whole_over_tiles(look.totals) if look.totals else None,
            }
            for look in shown.looks
        ],
    }


@router.get("/api/jobs/{job}/views/{view}.png", response_class=Response, responses=answers("image/png"))
def job_view_picture(job: str, view: str, services: ServicesDep) -> Response:
    """One of the inputs of a training's fixed image: whole, tile-1 to tile-4 of counting, else view-1 on."""
    picture = view_picture(services.jobs.folder(services.jobs.get(job)), view)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
