"""Values of the context that cost a look into the file: looked for when somebody looks at them.

As in Airflow (sdk/execution_time/task_runner.py, `get_template_context`) they stand in the context as proxies:
`prev_start_date_success` behaves as the datetime that it is, and is false where there is none. A function that
asks for one by a parameter, and whoever reads an XCom, gets the value itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_UNKNOWN: Any = object()


class Later:
    """Stands for a value; `call` gives it, once."""

    __slots__ = ("_later_call", "_later_value")

    def __init__(self, call: Callable[[], Any]) -> None:
        object.__setattr__(self, "_later_call", call)
        object.__setattr__(self, "_later_value", _UNKNOWN)

    def __getattribute__(self, name: str) -> Any:
        if name in {"_later_call", "_later_value", "__reduce_ex__", "__deepcopy__"}:
            return object.__getattribute__(self, name)
        return getattr(value_of(self), name)

    def __bool__(self) -> bool:
        return bool(value_of(self))

    def __str__(self) -> str:
        return str(value_of(self))

    def __repr__(self) -> str:
        return repr(value_of(self))

    def __format__(self, spec: str) -> str:
        return format(value_of(self), spec)

    def __hash__(self) -> int:
        return hash(value_of(self))

    def __eq__(self, other: object) -> bool:
        return bool(value_of(self) == value_of(other))

    def __lt__(self, other: object) -> bool:
        return bool(value_of(self) < value_of(other))

    def __le__(self, other: object) -> bool:
        return bool(value_of(self) <= value_of(other))

    def __gt__(self, other: object) -> bool:
        return bool(value_of(self) > value_of(other))

    def __ge__(self, other: object) -> bool:
        return bool(value_of(self) >= value_of(other))

    def __add__(self, other: object) -> Any:
        return value_of(self) + other

    def __radd__(self, other: object) -> Any:
        return other + value_of(self)

    def __sub__(self, other: object) -> Any:
        return value_of(self) - value_of(other)

    def __rsub__(self, other: object) -> Any:
        return other - value_of(self)

    def __deepcopy__(self, _: object) -> Any:
        return value_of(self)

    def __reduce_ex__(self, _: object) -> Any:
        return value_of, (value_of(self),)


def value_of(thing: Any) -> Any:
    """What a proxy stands for; anything else as it is."""
    if type(thing) is not Later:
        return thing
    value = object.__getattribute__(thing, "_later_value")
    if value is _UNKNOWN:
        value = object.__getattribute__(thing, "_later_call")()
        object.__setattr__(thing, "_later_value", value)
    return value
