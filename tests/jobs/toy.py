"""A kind of job as someone would add one; `tests/jobs/test_catalogue.py` enters it into the catalogue."""

from typing import Any

from app.jobs.context import JobContext
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.atomic import write_json


def prepare(_store: Store, _settings: Settings, spec: dict[str, Any]) -> PreparedJob:
    """Anything may be asked for."""
    return PreparedJob(spec=spec, slug="yo-yo", path="toys/yo-yo.json", keep_slug=True)


def run(job: JobContext) -> None:
    """Leave a file behind."""
    write_json(job.output, {"colour": job.spec["colour"]})
    job.artefact("toy", job.slug, job.output)
