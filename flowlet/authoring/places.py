"""Where a thing was written, and what it was probably meant to be called: the words of an error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any

#: A call site as cheap as it comes: resolved to a line only when somebody asks. `f_lineno` would decode
#: the caller's line table from its start, for each task of a long file anew.
Site = tuple[CodeType, int]


def is_ours(frame: FrameType) -> bool:
    """The frame runs flowlet's own code."""
    name: str = frame.f_globals.get("__name__") or ""
    return name.startswith("flowlet.") or name == "flowlet"


def site_of(frame: FrameType | None) -> Site | None:
    """The call site of the first frame, from this one outwards, that is the user's."""
    while frame is not None and is_ours(frame):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


def here() -> Site | None:
    """The user's line that called into flowlet."""
    return site_of(sys._getframe(1))


def line_of(site: Site) -> int:
    """The line number of a call site."""
    code, offset = site
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def spell(site: Site | None) -> str:
    """`file:line`, as editors and terminals read it."""
    return "an unknown place" if site is None else f"{site[0].co_filename}:{line_of(site)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known name is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def warn(site: Site | None, text: str) -> None:
    """Warn of a line of the user's; once of each, as Python does by default."""
    import warnings

    place = ("<unknown>", 1) if site is None else (site[0].co_filename, line_of(site))
    warnings.warn_explicit(text, UserWarning, *place, registry=_warned)


_warned: dict[Any, Any] = {}
