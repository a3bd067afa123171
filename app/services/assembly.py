"""Puts the services of a workspace together."""

from app.inspector.client import Inspector
from app.predictor.client import Predictor
from app.services.chains.service import ChainsService
from app.services.checkpoints.service import CheckpointsService
from app.services.clusters.service import ClusteringsService
from app.services.counting.service import CountingService
from app.services.evaluations.service import EvaluationsService
from app.services.filters.panels import FilterPanels
from app.services.foreign.checkpoints import ForeignCheckpoints
from app.services.foreign.inspections import InspectionsService
from app.services.galleries.control_spaces import ControlSpacesService
from app.services.galleries.seen import SeenService
from app.services.galleries.service import GalleriesService
from app.services.galleries.truth import TruthService
from app.services.jobs.service import JobsService
from app.services.preparing import Preparing
from app.services.query_images import UploadsService
from app.services.results.service import ResultsService
from app.services.scans.service import ScansService
from app.services.scans.tuning import TuningService
from app.services.search.aids import SearchAids
from app.services.search.quality import QualityService
from app.services.search.service import SearchService
from app.services.search.side_by_side import SearchPanels
from app.services.services import Services
from app.services.training.puzzles import PuzzlesService
from app.services.units.responses import ResponsesService
from app.services.units.service import UnitsService
from app.settings import Settings
from app.store.engine import Store
from models.galleries.budget import DecodeBudget

PREPARED = "prepared"  # the folder of results that can be computed again: hashes, control spaces, measurements


def build_services(
    settings: Settings, *, predictor: Predictor | None = None, inspector: Inspector | None = None
) -> Services:
    """The services of a workspace; opens its store, and migrates the database where needed.

    The predictor is not started here; until somebody does, its methods raise Busy.
    """
    predictor = predictor or Predictor(settings)
    store = Store.open(settings.workspace, settings.database_url)
    jobs = JobsService(store, settings)
    galleries = GalleriesService(store, settings, jobs)
    checkpoints = CheckpointsService(store)
    scans = ScansService(store, galleries, checkpoints)
    inspections = InspectionsService(settings, inspector or Inspector())
    preparing = Preparing(store.workspace / PREPARED)
    control_spaces = ControlSpacesService(preparing)
    seen = SeenService(control_spaces, preparing)
    units = UnitsService(predictor, seen)
    quality = QualityService(control_spaces, seen, preparing)
    aids = SearchAids(scans, galleries, control_spaces, seen, quality)
    search = SearchService(predictor, aids)
    decoding = DecodeBudget(settings.decode_mb << 20)
    uploads = UploadsService(settings, decoding)
    return Services(
        settings=settings,
        store=store,
        jobs=jobs,
        galleries=galleries,
        checkpoints=checkpoints,
        inspections=inspections,
        foreign=ForeignCheckpoints(settings, checkpoints, inspections),
        evaluations=EvaluationsService(checkpoints, galleries),
        results=ResultsService(store.workspace, checkpoints, galleries),
        scans=scans,
        clusterings=ClusteringsService(store, galleries, preparing),
        chains=ChainsService(store, settings, jobs),
        units=units,
        filters=FilterPanels(checkpoints, galleries, preparing),
        search=search,
        search_aids=aids,
        search_panels=SearchPanels(search, aids),
        seen=seen,
        counting=CountingService(predictor),
        uploads=uploads,
        decoding=decoding,
        puzzles=PuzzlesService(checkpoints, galleries, uploads, predictor),
        truth=TruthService(galleries),
        tuning=TuningService(scans, galleries),
        responses=ResponsesService(units, predictor),
    )
