"""What an XCom may hold beyond JSON: how such an object is taken apart, and put together again.

Types of the standard library are found by name, so that nothing is imported for a program that does not
use them. Classes of the user are known by a mapping of the caller or by `register_xcom_type`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flowlet.errors import XComError

#: The key that marks a JSON object as something else.
TAG: Final = "__type__"

Parts = dict[str, Any]
Types = Mapping[str, type]
C = TypeVar("C", bound=type)
T = TypeVar("T")


class Refused(Exception):
    """Why a value cannot be an XCom. On its way up it learns the place: `path`, innermost first."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.path: list[str] = []
        self.inside: list[int] = []


class XComRecord:
    """An object of a class that the reader does not know: it shows what was there, and does nothing.

    Handed on as an XCom it is again what it was.
    """

    __slots__ = ("_parts", "_tag")

    def __init__(self, tag: str, parts: Parts) -> None:
        self._tag = tag
        self._parts = parts

    @property
    def type(self) -> str:
        """The name of its class."""
        return str(self._parts["class"])

    @property
    def fields(self) -> Parts:
        """Its fields by name; `value` for what has none (an Enum)."""
        if "fields" in self._parts:
            return dict(self._parts["fields"])
        return {"value": self._parts.get("value", self._parts.get("state"))}

    def __repr__(self) -> str:
        return f"{self.type}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XComRecord) and (self._tag, self._parts) == (other._tag, other._parts)

    def __hash__(self) -> int:
        return hash((self.type, tuple(self.fields)))

    def take_apart(self) -> Parts:
        """As it stands in a value."""
        fields = {"fields": Fields(self._parts["fields"])} if "fields" in self._parts else {}
        return {TAG: self._tag, **self._parts, **fields}


class Fields(dict[str, Any]):
    """The fields of an object, by name: always a plain JSON object, never pairs."""


# -- classes of the user ------------------------------------------------------------------------------

_registered: dict[str, type] = {}
_custom: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {}


def register_xcom_type(
    cls: C, *, encode: Callable[[Any], Any] | None = None, decode: Callable[[Any], Any] | None = None
) -> C:
    """Let XComs hold objects of `cls`: an attrs class, a dataclass, an Enum; usable as a decorator.

    Any other class brings `encode` (to something an XCom can hold) and `decode` (back). Registered
    classes go by module and name; a process that reads such a value must have registered it too.
    """
    if (encode is None) != (decode is None) or (encode is None and _kind_of(cls) is None):
        raise XComError(
            f"{name_of(cls)} is neither an attrs class, nor a dataclass, nor an Enum:"
            " register_xcom_type needs encode= and decode= for it"
        )
    name = f"{cls.__module__}.{cls.__qualname__}"
    _registered[name] = cls
    if encode is not None and decode is not None:
        _custom[name] = (encode, decode)
    else:
        _custom.pop(name, None)
    return cls


def find_class(name: str, types: Types | None) -> type | None:
    """The class of that name that the caller knows or that is registered."""
    found = types.get(name) if types is not None else None
    return found if found is not None else _registered.get(name)


def name_of(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def advice(value: Any) -> str:
    """The way out for an object of an unknown class."""
    if _kind_of(type(value)) is not None:
        return ": define the class in the DAG's own module, or call flowlet.register_xcom_type on it"
    if type(value).__module__ == "builtins":
        return ""
    return ": hand on something that JSON has, or call flowlet.register_xcom_type"


def _kind_of(cls: type) -> str | None:
    """attrs, dataclass, enum or None, by looking only: neither library is imported for it."""
    if "__attrs_attrs__" in cls.__dict__:
        return "attrs"
    if "__dataclass_fields__" in cls.__dict__:
        return "dataclass"
    enum = sys.modules.get("enum")
    return "enum" if enum is not None and issubclass(cls, enum.Enum) else None


def _known_name(cls: type, types: Types | None) -> str | None:
    """By what name the class may stand in a value, None if it is not known."""
    if types is not None and types.get(cls.__qualname__) is cls:
        return cls.__qualname__
    name = f"{cls.__module__}.{cls.__qualname__}"
    return name if _registered.get(name) is cls else None


# -- apart --------------------------------------------------------------------------------------------


def take_apart(value: Any, types: Types | None) -> Parts | None:
    """The parts of a tagged object, TAG among them; None for what is not one (a subclass of str, say)."""
    cls = type(value)
    known = _known_name(cls, types)
    if known is not None:
        return _object_parts(value, cls, known)
    if cls is XComRecord:
        return value.take_apart()  # type: ignore[no-any-return]  # an XComRecord, see the line above
    for base in cls.__mro__:
        taker = _APART.get((base.__module__, base.__qualname__))
        if taker is not None:
            return _guarded(taker, value)
    return None


def _object_parts(value: Any, cls: type, name: str) -> Parts:
    if name in _custom and _registered.get(name) is cls:
        return {TAG: "object", "class": name, "state": _guarded(_custom[name][0], value)}
    kind = _kind_of(cls)
    if kind == "enum":
        return {TAG: "enum", "class": name, "value": value.name}
    names = [field for field, _ in _arguments(cls)]
    fields = _guarded(lambda it: Fields({name: getattr(it, name) for name in names}), value)
    return {TAG: "object", "class": name, "fields": fields}


def _guarded(taker: Callable[[Any], T], value: Any) -> T:
    """Reads an object of somebody's class: its `__iter__`, its `__getattr__` may raise anything."""
    try:
        return taker(value)
    except Refused:
        raise
    except Exception as problem:
        what = f"an object of type {name_of(type(value))}: reading it raised {type(problem).__name__}"
        raise Refused(what) from problem


def _from_datetime(value: Any) -> Parts:
    parts: Parts = {TAG: "datetime", "value": value.isoformat()}
    zone = getattr(value.tzinfo, "key", None)
    if isinstance(zone, str) and zone:
        parts["zone"] = zone
    if value.fold:
        parts["fold"] = value.fold
    return parts


def _from_time(value: Any) -> Parts:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise Refused("a time in a zone of changing offset: hand on a datetime")
    parts: Parts = {TAG: "time", "value": value.isoformat()}
    if value.fold:
        parts["fold"] = value.fold
    return parts


def _from_timedelta(value: Any) -> Parts:
    seconds = value.days * 86400 + value.seconds
    return {TAG: "timedelta", "microseconds": seconds * 1_000_000 + value.microseconds}


def _from_decimal(value: Any) -> Parts:
    if not value.is_finite():
        raise Refused(f"the Decimal {value}, which JSON cannot hold")
    return {TAG: "decimal", "value": str(value)}


def _from_bytes(value: Any) -> Parts:
    from binascii import b2a_base64

    tag = "bytearray" if isinstance(value, bytearray) else "bytes"
    return {TAG: tag, "value": b2a_base64(value, newline=False).decode("ascii")}


def _from_path(value: Any) -> Parts:
    import os
    from pathlib import PurePath

    if isinstance(value, PurePath) and type(value).__name__.startswith("Pure"):
        return {TAG: "purepath", "value": str(value), "flavour": type(value).__name__}
    return {TAG: "path", "value": os.fspath(value)}


_APART: dict[tuple[str, str], Callable[[Any], Parts]] = {
    ("datetime", "datetime"): _from_datetime,
    ("datetime", "date"): lambda value: {TAG: "date", "value": value.isoformat()[:10]},
    ("datetime", "time"): _from_time,
    ("datetime", "timedelta"): _from_timedelta,
    ("decimal", "Decimal"): _from_decimal,
    ("uuid", "UUID"): lambda value: {TAG: "uuid", "value": str(value)},
    ("pathlib", "PurePath"): _from_path,
    ("pathlib._local", "PurePath"): _from_path,  # where Python 3.13 keeps it
    ("builtins", "bytes"): _from_bytes,
    ("builtins", "bytearray"): _from_bytes,
    ("builtins", "tuple"): lambda value: {TAG: "tuple", "items": list(value)},
    ("builtins", "set"): lambda value: {TAG: "set", "items": list(value)},
    ("builtins", "frozenset"): lambda value: {TAG: "frozenset", "items": list(value)},
}


# -- together -----------------------------------------------------------------------------------------


def put_together(tag: str, parts: Parts, find: Callable[[str], type | None]) -> Any:
    """The object that `take_apart` took apart. Of an unknown class: an XComRecord."""
    maker = _TOGETHER.get(tag)
    if maker is not None:
        return maker(parts)
    if tag not in {"object", "enum"}:
        raise XComError(f"an XCom of an unknown type {tag!r} (written by a newer flowlet?)")
    name = parts["class"]
    cls = find(name)
    if cls is None:
        return XComRecord(tag, parts)
    if tag == "enum":
        return cls[parts["value"]]  # type: ignore[index]  # an Enum class
    if "state" in parts:
        return _custom[name][1](parts["state"])
    return _build(cls, parts["fields"])


def _build(cls: type, fields: Parts) -> Any:
    """An instance by its own constructor; fields that the constructor does not take are set afterwards."""
    given, later = {}, {}
    for name, argument in _arguments(cls):
        if name not in fields:
            continue  # the class has grown a field since: its default, if it has one
        if argument is None:
            later[name] = fields[name]
        else:
            given[argument] = fields[name]
    made = cls(**given)
    for name, value in later.items():
        object.__setattr__(made, name, value)
    return made


def _arguments(cls: type) -> list[tuple[str, str | None]]:
    """(field, the constructor's name for it or None) of an attrs class or a dataclass."""
    if _kind_of(cls) == "attrs":
        return [(a.name, (a.alias or a.name.lstrip("_")) if a.init else None) for a in cls.__attrs_attrs__]  # type: ignore[attr-defined]  # seen above
    from dataclasses import fields

    return [(field.name, field.name if field.init else None) for field in fields(cls)]


def _to_datetime(parts: Parts) -> Any:
    from datetime import datetime

    moment = datetime.fromisoformat(parts["value"])
    zone = _find_zone(parts.get("zone"))
    if zone is not None:
        moment = moment.replace(tzinfo=zone)
    return moment.replace(fold=parts["fold"]) if "fold" in parts else moment


def _find_zone(key: str | None) -> Any:
    """The zone of that name on this machine; None keeps the offset that the text has."""
    if key is None:
        return None
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(key)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _to_date(parts: Parts) -> Any:
    from datetime import date

    return date.fromisoformat(parts["value"])


def _to_time(parts: Parts) -> Any:
    from datetime import time

    return time.fromisoformat(parts["value"]).replace(fold=parts.get("fold", 0))


def _to_timedelta(parts: Parts) -> Any:
    from datetime import timedelta

    return timedelta(microseconds=parts["microseconds"])


def _to_decimal(parts: Parts) -> Any:
    from decimal import Decimal

    return Decimal(parts["value"])


def _to_uuid(parts: Parts) -> Any:
    from uuid import UUID

    return UUID(parts["value"])


def _to_bytes(parts: Parts) -> bytes:
    from binascii import a2b_base64

    return a2b_base64(parts["value"])


def _to_path(parts: Parts) -> Any:
    import pathlib

    flavour = {"PurePosixPath": pathlib.PurePosixPath, "PureWindowsPath": pathlib.PureWindowsPath}
    return flavour.get(parts.get("flavour", ""), pathlib.Path)(parts["value"])


_TOGETHER: dict[str, Callable[[Parts], Any]] = {
    "datetime": _to_datetime,
    "date": _to_date,
    "time": _to_time,
    "timedelta": _to_timedelta,
    "decimal": _to_decimal,
    "uuid": _to_uuid,
    "path": _to_path,
    "purepath": _to_path,
    "bytes": _to_bytes,
    "bytearray": lambda parts: bytearray(_to_bytes(parts)),
    "tuple": lambda parts: tuple(parts["items"]),
    "set": lambda parts: set(parts["items"]),
    "frozenset": lambda parts: frozenset(parts["items"]),
}
