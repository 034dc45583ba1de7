"""What may be an id of a DAG, a task or a group (Airflow: `validate_key`, `validate_group_key`)."""

from __future__ import annotations

import re

from flowlet.authoring import places
from flowlet.errors import DagError

LONGEST = 250
_DOTS = frozenset({".", ".."})

_KEY = re.compile(r"[\w.-]+").fullmatch
_GROUP_KEY = re.compile(r"[\w-]+").fullmatch
_NUMBERED = re.compile(r"(.*?)__(\d+)", re.DOTALL).fullmatch


def check_id(kind: str, text: object, site: places.Site | None) -> str:
    """The id in Unicode's NFC, so that one typed in two ways is one; DagError if it cannot be an id."""
    if type(text) is str and text.isascii() and len(text) <= LONGEST and _KEY(text) and text not in _DOTS:
        return text
    return _check(kind, text, site)


def check_group_id(text: object, site: places.Site | None) -> str:
    """As `check_id`, and no dots: they separate a group from what is in it."""
    group_id = _check("group", text, site)
    if not _GROUP_KEY(group_id):
        raise _refusal("group", group_id, "it may hold letters, digits, '_' and '-' only", site)
    return group_id


def split_number(text: str) -> tuple[str, int]:
    """`load__3` is the third further `load`; what has no number is the first, number 0."""
    found = _NUMBERED(text)
    return (text, 0) if found is None else (found[1], int(found[2]))


def _check(kind: str, text: object, site: places.Site | None) -> str:
    if not isinstance(text, str):
        raise _refusal(kind, text, f"it must be a string, not {type(text).__name__}", site)
    if not text.isascii():
        import unicodedata

        text = unicodedata.normalize("NFC", text)
    if not text:
        raise _refusal(kind, text, "it is empty", site)
    if len(text) > LONGEST:
        raise _refusal(kind, text[:40] + "...", f"it has {len(text)} characters, at most {LONGEST} fit", site)
    if not _KEY(text) or text in _DOTS:
        raise _refusal(kind, text, "it may hold letters, digits, '_', '-' and '.' only", site)
    return str(text)


def _refusal(kind: str, text: object, why: str, site: places.Site | None) -> DagError:
    return DagError(f"{text!r} cannot be the id of a {kind}: {why} ({places.spell(site)})")
