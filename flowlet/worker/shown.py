"""Template fields as people may see them: plain JSON, secrets masked, then cut.

(Airflow: serialization/helpers.py `serialize_template_field`.) What it costs is bounded by what is shown, not
by the value: of a list of a million rows a few are looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time
from typing import Any, Final

from flowlet import settings
from flowlet.worker.secrets import MASK, SECRETS, is_sensitive

LONGEST: Final = 4096
_DEEPEST = 32
_LONGEST_LABEL = 250
_CUT = "Truncated. See FLOWLET__CORE__MAX_TEMPLATED_FIELD_LENGTH: "


def shown_fields(task: Any, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The template fields of an operator, those that hold nothing too; `values` stand for those of their names."""
    most = settings.get_int("core", "max_templated_field_length", LONGEST, at_least=0)
    values = values or {}
    fields = {name: values[name] if name in values else getattr(task, name, None) for name in task.template_fields}
    return {name: None if value is None else shown(name, value, most) for name, value in fields.items()}


def shown(name: str, value: Any, most: int = LONGEST) -> Any:
    """One field, at most so many characters. Never raises: what an object of the user's own says of itself may."""
    walk = _Walk(most)
    try:
        plain = walk.plain(value, 0, hidden=is_sensitive(name))
        text = plain if isinstance(plain, str) else json.dumps(plain)
    except Exception as problem:
        return f"<{type(value).__name__}: {type(problem).__name__} when it was to be shown>"
    return _cut(text, most) if walk.is_full or len(text) > most else plain


def label(text: str) -> str:
    """What an instance is called, without secrets; cut where Airflow's column ends."""
    return SECRETS.mask(text)[:_LONGEST_LABEL].encode("utf-8", "backslashreplace").decode()


def _cut(text: str, most: int) -> str:
    whole = f"{_CUT}{text}"
    return f"{whole[: most - 3]}..." if most > 3 else whole[:most]


class _Walk:
    """Makes plain JSON of a value, as much of it as there is room for; what stands under a name that speaks of a
    secret is hidden."""

    def __init__(self, room: int) -> None:
        self._most = room
        self._room = room + len('""')

    @property
    def is_full(self) -> bool:
        """There was more than is shown."""
        return self._room < 0

    def plain(self, value: Any, depth: int, *, hidden: bool) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is int:
            self._room -= 1
            return value
        if isinstance(value, str):
            return self._text(value, hidden=hidden)
        if kind is float:
            self._room -= 1
            return value if math.isfinite(value) else str(value)
        if depth < _DEEPEST and isinstance(value, Mapping):
            return self._mapping(value, depth, hidden=hidden)
        if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
            return self._members(value, depth, hidden=hidden)
        return self._text(_spelt(value), hidden=hidden)

    def _text(self, text: str, *, hidden: bool = False) -> str:
        """Without secrets. Of a text that is far too long only its beginning is looked at; a secret that lies
        across the place where it ends goes whole."""
        end = 4 * self._most + LONGEST
        masked = MASK if hidden else SECRETS.mask(text[:end])
        if len(text) > end and not hidden:
            self._room = -1
            return masked[: max(len(masked) - SECRETS.longest, 0)]
        self._room -= len(masked) + 2
        return masked

    def _mapping(self, value: Mapping[Any, Any], depth: int, *, hidden: bool) -> dict[str, Any]:
        found = {}
        for name, member in value.items():
            if self.is_full:
                break
            found[self._text(str(name))] = self.plain(member, depth + 1, hidden=hidden or is_sensitive(name))
        return found

    def _members(self, value: Any, depth: int, *, hidden: bool) -> list[Any]:
        found = []
        for member in value:
            if self.is_full:
                break
            found.append(self.plain(member, depth + 1, hidden=hidden))
        return found


def _spelt(value: Any) -> str:
    """Any other object, in words that are the same in every process."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):
        return f"{getattr(value, '__module__', None)}.{name}"
    text = str(value)
    return text.replace(f" at {id(value):#x}", "") if " at 0x" in text else text
