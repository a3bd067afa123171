"""Puts the services of a workspace together."""

from app.predictor.client import Predictor
from app.services.checkpoints import CheckpointsService
from app.services.counting import CountingService
from app.services.galleries import GalleriesService
from app.services.jobs import JobsService
from app.services.scans import ScansService
from app.services.search import SearchService
from app.services.services import Services
from app.services.units import UnitsService
from app.services.uploads import UploadsService
from app.settings import Settings
from app.store.engine import Store


def build_services(settings: Settings, *, predictor: Predictor | None = None) -> Services:
    """Opens the store, migrating it where needed. A predictor that was never started answers Busy."""
    predictor = predictor or Predictor(settings)
    store = Store.open(settings.workspace, settings.database_url)
    jobs = JobsService(store, settings)
    galleries = GalleriesService(store, settings, jobs)
    checkpoints = CheckpointsService(store, settings)
    scans = ScansService(store, settings, galleries, checkpoints)
    return Services(
        settings=settings,
        store=store,
        jobs=jobs,
        galleries=galleries,
        checkpoints=checkpoints,
        scans=scans,
        units=UnitsService(scans, galleries, checkpoints, predictor),
        search=SearchService(scans, checkpoints, galleries, predictor),
        counting=CountingService(checkpoints, galleries, predictor),
        uploads=UploadsService(settings),
    )
