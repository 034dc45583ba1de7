"""What else the user may call things: older names of arguments and of context keys, another class of moments.

All of it is empty here. A face that speaks an older language fills it, for the whole process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ParamSpec

from flowlet.authoring.context import CONTEXT_KEYS, Context
from flowlet.clock import from_micros

P = ParamSpec("P")

#: Old name to new; None for what means nothing any more.
DAG_ARGUMENTS: dict[str, str | None] = {}
TASK_ARGUMENTS: dict[str, str | None] = {}

#: Old trigger rule to new.
TRIGGER_RULES: dict[str, str] = {}

#: Key to what it is, made of the keys that there are. For runs that have a logical date.
CONTEXT: dict[str, Callable[[Context], Any]] = {}

_MOMENT: list[Callable[[int], datetime]] = [from_micros]


def moment(micros: int) -> datetime:
    """A moment as user code gets it: an aware datetime in UTC."""
    return _MOMENT[-1](micros)


def show_moments_by(make: Callable[[int], datetime]) -> None:
    """Give user code another class of datetimes."""
    _MOMENT[:] = [make]


def offer(key: str, make: Callable[[Context], Any]) -> None:
    """Put one more key into contexts."""
    CONTEXT[key] = make
    CONTEXT_KEYS.add(key)


def understood(table: Mapping[str, str | None]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """For an `__init__`: its keyword arguments are read by the names of the table, too."""

    def complete(init: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(init)
        def __init__(*args: P.args, **kwargs: P.kwargs) -> None:  # noqa: N807  it becomes one
            if table and not table.keys().isdisjoint(kwargs):
                respell(kwargs, table)
            init(*args, **kwargs)

        return __init__

    return complete


def respell(arguments: dict[str, Any], table: Mapping[str, str | None]) -> None:
    """Put what stands under an old name under the new one; the new one wins if both are given."""
    for name in table.keys() & arguments.keys():
        value, new = arguments.pop(name), table[name]
        if new is not None:
            arguments.setdefault(new, value)


class Respelt:
    """Attributes of a DAG are found by the older names of its arguments, too."""

    def __getattr__(self, name: str) -> Any:
        new = DAG_ARGUMENTS.get(name)
        if new is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self, new)
