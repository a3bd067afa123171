"""Makes slugs: short names for addresses and folders, from the names that people give in any language."""

import hashlib
import re
import unicodedata
from typing import Final

from app.failures import BadQuery

LONGEST: Final = 60
_LATIN: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})


def slug_of(name: str, *, noun: str) -> str:
    """The name as a slug of lower-case letters a-z, digits and dashes; letters lose their accents.

    Where letters of other alphabets are lost, a hash of the name is added, behind `noun` if nothing else is left. So
    names that differ in them have different slugs, and the same name always has the same one. Raises BadQuery for a
    name without any letter, digit or symbol.
    """
    folded = unicodedata.normalize("NFKD", name.strip().casefold()).translate(_LATIN)
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST].strip("-")
    lost = any(char.isalnum() and not char.isascii() for char in plain)
    if not slug and not lost and not any(unicodedata.category(char).startswith("S") for char in plain):
        raise BadQuery("bad_name", "The name needs at least one letter or digit.")
    if slug and not lost:
        return slug
    digest = hashlib.sha256(unicodedata.normalize("NFC", name.strip()).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug[: LONGEST - 9].strip('-') or noun}-{digest}"
