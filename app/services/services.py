"""The value that holds all services of one server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.services.chains.service import ChainsService
    from app.services.checkpoints.service import CheckpointsService
    from app.services.clusters.service import ClusteringsService
    from app.services.counting.service import CountingService
    from app.services.evaluations.service import EvaluationsService
    from app.services.filters.panels import FilterPanels
    from app.services.foreign.checkpoints import ForeignCheckpoints
    from app.services.foreign.inspections import InspectionsService
    from app.services.galleries.seen import SeenService
    from app.services.galleries.service import GalleriesService
    from app.services.galleries.truth import TruthService
    from app.services.jobs.service import JobsService
    from app.services.query_images import UploadsService
    from app.services.results.service import ResultsService
    from app.services.scans.service import ScansService
    from app.services.scans.tuning import TuningService
    from app.services.search.aids import SearchAids
    from app.services.search.service import SearchService
    from app.services.search.side_by_side import SearchPanels
    from app.services.training.puzzles import PuzzlesService
    from app.services.units.responses import ResponsesService
    from app.services.units.service import UnitsService
    from app.settings import Settings
    from app.store.engine import Store
    from models.galleries.budget import DecodeBudget


@dataclass(frozen=True)
class Services:
    """All services, which the routes and the command line call."""

    settings: Settings
    store: Store
    jobs: JobsService
    galleries: GalleriesService
    checkpoints: CheckpointsService
    inspections: InspectionsService
    foreign: ForeignCheckpoints
    evaluations: EvaluationsService
    results: ResultsService
    scans: ScansService
    clusterings: ClusteringsService
    chains: ChainsService
    units: UnitsService
    filters: FilterPanels
    search: SearchService
    search_aids: SearchAids
    search_panels: SearchPanels
    seen: SeenService
    counting: CountingService
    uploads: UploadsService
    decoding: DecodeBudget
    puzzles: PuzzlesService
    truth: TruthService
    tuning: TuningService
    responses: ResponsesService
