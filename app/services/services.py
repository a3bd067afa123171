"""The use cases of one server, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.services.chains import ChainsService
    from app.services.checkpoints import CheckpointsService
    from app.services.clusterings import ClusteringsService
    from app.services.counting import CountingService
    from app.services.descriptors import DescriptorsService
    from app.services.evaluations import EvaluationsService
    from app.services.exports import ExportsService
    from app.services.filter_panels import FilterPanels
    from app.services.foreign_checkpoints import ForeignCheckpoints
    from app.services.galleries import GalleriesService
    from app.services.inspections import InspectionsService
    from app.services.jobs import JobsService
    from app.services.puzzles import PuzzlesService
    from app.services.responses import ResponsesService
    from app.services.results import ResultsService
    from app.services.scans import ScansService
    from app.services.search import SearchService
    from app.services.search_aids import SearchAids
    from app.services.search_panel import SearchPanels
    from app.services.seen import SeenService
    from app.services.truth import TruthService
    from app.services.tuning import TuningService
    from app.services.units import UnitsService
    from app.services.uploads import UploadsService
    from app.settings import Settings
    from app.store.engine import Store


@dataclass(frozen=True)
class Services:
    """What routes and the command line call."""

    settings: Settings
    store: Store
    jobs: JobsService
    galleries: GalleriesService
    checkpoints: CheckpointsService
    inspections: InspectionsService
    foreign: ForeignCheckpoints
    evaluations: EvaluationsService
    results: ResultsService
    exports: ExportsService
    scans: ScansService
    clusterings: ClusteringsService
    descriptors: DescriptorsService
    chains: ChainsService
    units: UnitsService
    filters: FilterPanels
    search: SearchService
    search_aids: SearchAids
    search_panels: SearchPanels
    seen: SeenService
    counting: CountingService
    uploads: UploadsService
    puzzles: PuzzlesService
    truth: TruthService
    tuning: TuningService
    responses: ResponsesService
