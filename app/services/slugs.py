"""Makes slugs: short names for addresses and folders, from the names that people give."""

import re

from app.failures import BadQuery


def slug_of(name: str) -> str:
    """The name as a slug of lower-case letters, digits and dashes. Raises BadQuery where nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-")
    if not slug:
        raise BadQuery("bad_name", "The name needs at least one letter a-z or digit.")
    return slug
