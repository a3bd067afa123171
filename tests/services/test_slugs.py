"""Names in any language have addresses."""

import re

import pytest

from app.failures import BadQuery
from app.services.slugs import LONGEST, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Holidays 2024!", "holidays-2024"),
        ("\u00c9t\u00e9 \u00e0 l'\u00eele", "ete-a-l-ile"),
        ("Stra\u00dfe", "strasse"),
        ("\u0141\u00f3d\u017a", "lodz"),
        ("\u1e9e\ufb01", "ssfi"),
        ("\U0001f408 cats", "cats"),
    ],
)
def test_letters_lose_their_accents(name: str, slug: str) -> None:
    assert slug_of(name, noun="gallery") == slug


def test_other_alphabets_have_a_slug_of_their_own() -> None:
    names = (
        "\u5199\u771f",
        "\u65e5\u672c\u8a9e",
        "\u65e5\u672c 2",
        "\u5199\u771f 2",
        "\u0424\u043e\u0442\u043e",
        "\U0001f408",
        "na\u03c0",
    )
    slugs = [slug_of(name, noun="gallery") for name in names]
    assert len(set(slugs)) == len(names) and all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)
    assert slugs[0].startswith("gallery-") and slugs[2].startswith("2-") and slugs[6].startswith("na-")
    assert slug_of(" \u5199\u771f ", noun="gallery") == slugs[0]
    assert slug_of("e\u0301" + "\u03c0", noun="x") == slug_of("\u00e9" + "\u03c0", noun="x")
    assert len(slug_of("\u5199" + "x" * 200, noun="gallery")) <= LONGEST


@pytest.mark.parametrize("name", ["", "   ", "...", "-/-"])
def test_a_name_without_anything_to_read_is_refused(name: str) -> None:
    with pytest.raises(BadQuery, match="at least one letter or digit"):
        slug_of(name, noun="gallery")
