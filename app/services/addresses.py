"""Slugs: the short names by which addresses and folders call what a person named."""

import re

from app.failures import BadQuery


def slug_of(name: str) -> str:
    """The name as an address: lower-case letters, digits and dashes. Raises BadQuery where nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-")
    if not slug:
        raise BadQuery("bad_name", "The name needs at least one letter a-z or digit.")
    return slug
