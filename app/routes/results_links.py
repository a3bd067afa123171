"""Where a table of probes is found."""

from urllib.parse import urlencode

from app.services.results.service import Choice
from app.settings import Settings


def table_links(choice: Choice, settings: Settings) -> dict[str, str]:
    """The JSON, the page and the CSV of one table."""
    query = urlencode({"gallery": choice.gallery, "protocol": choice.protocol.key})
    return {
        "self": settings.url(f"/api/results?{query}"),
        "page": settings.url(f"/results?{query}"),
        "csv": settings.url(f"/api/results.csv?{query}"),
    }
