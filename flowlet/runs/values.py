"""XCom values as tagged JSON: what a task may hand on, and how it stands in the file.

JSON's own types stand untagged, so that anybody can read the file. What JSON lacks is an object with
`__type__`: `{"__type__": "datetime", "value": "2026-01-01T00:00:00+00:00"}`. A dict that holds that key
itself, or a key that is no str, is written as its pairs. Subclasses of the built-in types arrive as their
base. Nothing is ever imported or unpickled because a value names it: classes are known to the caller
(`types`) or registered, and an object of any other class decodes to an `XComRecord`, which only shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]  # typeshed omits the C parts
from typing import Any, Final

from flowlet.authoring.later import Later, value_of
from flowlet.errors import XComError
from flowlet.runs import value_types
from flowlet.runs.value_types import TAG, Refused, XComRecord, find_class, register_xcom_type

__all__ = ["LIMIT", "XComRecord", "decode", "encode", "plain", "register_xcom_type"]

#: The default limit of one value, in bytes of JSON text (UTF-8).
LIMIT: Final = 16 * 1024 * 1024

#: Nesting beyond this is refused: no reader has to be able to recurse for ever.
DEEPEST: Final = 256

Types = Mapping[str, type]
_PLAIN = frozenset({int, bool, type(None)})
_TAG_TEXT = f'"{TAG}"'


def is_text(text: str) -> bool:
    """Whether all of it are whole characters: a lone surrogate is none, and UTF-8 has no bytes for it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode(value: Any, *, limit: int = LIMIT, types: Types | None = None) -> str:
    """The value as JSON text of at most `limit` bytes.

    Raises XComError, which names the type, the place inside the value, or the size.
    """
    kind = type(value)
    if kind is int and -_SMALL < value < _SMALL:
        return int.__repr__(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    try:
        shaped = _Shaper(limit, types).shape(value, 0)
        text = _dumps(shaped)
    except Refused as refused:
        raise _error(refused) from refused.__cause__
    except RecursionError:
        raise XComError(f"an XCom cannot hold {_TOO_DEEP}") from None
    if len(text) * 4 > limit:
        _check_size(text, limit)
    return text


_SMALL = 1 << 63


def decode(text: str, types: Types | None = None) -> Any:
    """The inverse of `encode`. Text that is not JSON raises XComError."""
    try:
        value, end = _scan(text, 0)
        if end != len(text):
            value = _DECODER.decode(text)
    except (ValueError, StopIteration, RecursionError) as problem:
        raise XComError(f"an XCom cannot be read: {problem or 'no JSON'}") from None
    if _TAG_TEXT not in text:
        return value
    try:
        return _restore(value, types)
    except RecursionError:
        raise XComError("an XCom cannot be read: it is nested too deep") from None


def plain(text: str) -> Any:
    """The value as JSON alone can show it: tuples and sets as lists, moments as text, objects as their fields."""
    return _untag(json.loads(text))


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: _untag(item) for key, item in value.items()}
    if value[TAG] == "dict":
        return {str(_untag(key)): _untag(item) for key, item in value["items"]}
    for part in ("items", "value", "fields", "state"):
        if part in value:
            return _untag(value[part])
    return {key: item for key, item in value.items() if key != TAG}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # not in typeshed


# -- shaping: any value to JSON's own types -----------------------------------------------------------


class _Shaper:
    """Walks a value once; gives the same object back where nothing has to be tagged.

    `room` counts down a lower bound of the text's bytes, so that a value far beyond the limit is refused
    before its text is built.
    """

    __slots__ = ("limit", "room", "types")

    def __init__(self, limit: int, types: Types | None) -> None:
        self.limit = limit
        self.room = limit
        self.types = types

    def shape(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            self.room -= 1
            if self.room < 0:
                raise self._too_large()
            return value
        shape = _SHAPES.get(kind)
        if shape is not None:
            return shape(self, value, depth)
        return self._other(value, depth)

    def text(self, value: str, _: int) -> str:
        self.spend(len(value) + 2)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as problem:
                raise Refused(f"a str with a lone surrogate at character {problem.start}") from None
        return value

    def number(self, value: float, _: int) -> float:
        self.spend(1)
        if value - value != 0.0:  # only NaN and the infinities
            raise Refused(f"the float {value!r}, which JSON cannot hold")
        return value

    def sequence(self, value: list[Any], depth: int) -> list[Any]:
        """A list; the same object if no item has to be tagged."""
        if depth >= DEEPEST:
            raise Refused(_TOO_DEEP)
        self.spend(2 * len(value) + 1)
        shaped, index, changed = [], 0, False
        try:
            for item in value:
                new = item if type(item) in _PLAIN else self.shape(item, depth + 1)
                changed = changed or new is not item
                shaped.append(new)
                index += 1
        except Refused as refused:
            refused.path.append(f"[{index}]")
            refused.inside.append(id(value))
            raise
        return shaped if changed else value

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        """A dict; the same object if no value has to be tagged and all keys are str."""
        if depth >= DEEPEST:
            raise Refused(_TOO_DEEP)
        self.spend(5 * len(value) + 2)
        if TAG in value:
            return self._pairs(value, depth)
        shaped, key, changed = {}, None, False
        try:
            for key, item in value.items():
                if type(key) is not str:
                    return self._pairs(value, depth)
                if not key.isascii():
                    self.text(key, depth)
                else:
                    self.room -= len(key)
                new = item if type(item) in _PLAIN else self.shape(item, depth + 1)
                changed = changed or new is not item
                shaped[key] = new
        except Refused as refused:
            refused.path.append(f"[{key!r}]")
            refused.inside.append(id(value))
            raise
        return shaped if changed else value

    def _pairs(self, value: dict[Any, Any], depth: int) -> Any:
        return {TAG: "dict", "items": self.sequence([[key, item] for key, item in value.items()], depth)}

    def _other(self, value: Any, depth: int) -> Any:
        """A known class, a tagged type, or a subclass of one of the above."""
        if depth >= DEEPEST:
            raise Refused(_TOO_DEEP)
        if isinstance(value, _SIZED):
            self.spend(len(value))
        parts = value_types.take_apart(value, self.types)
        if parts is not None:
            self.spend(16)
            return {key: item if key == TAG else self._part(item, depth) for key, item in parts.items()}
        base = next((base for base in type(value).__mro__ if base in _BASES), None)
        if base is None and type(value) is Later:
            return self.shape(value_of(value), depth)
        if base is None:
            raise Refused(f"an object of type {value_types.name_of(type(value))}{value_types.advice(value)}")
        return self.shape(_as_base(value, base), depth)

    def _part(self, item: Any, depth: int) -> Any:
        if type(item) is value_types.Fields:
            if TAG in item:
                raise Refused(f"an object with a field named {TAG}")
            shaped = {}
            for name, field in item.items():
                try:
                    shaped[name] = self.shape(field, depth + 1)
                except Refused as refused:
                    refused.path.append(f".{name}")
                    raise
            return shaped
        return self.shape(item, depth + 1)

    def spend(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise self._too_large()

    def _too_large(self) -> XComError:
        size = self.limit - self.room
        return XComError(f"the value is at least {size:,} bytes as JSON, {_WAY_OUT.format(self.limit)}")


_SHAPES: dict[type, Callable[[_Shaper, Any, int], Any]] = {
    str: _Shaper.text,
    float: _Shaper.number,
    list: _Shaper.sequence,
    dict: _Shaper.mapping,
}
_BASES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    list: list,
    dict: lambda value: dict(value.items()),
}


_SIZED = (bytes, bytearray, tuple, set, frozenset)


def _as_base(value: Any, base: type) -> Any:
    """An object of a subclass as its built-in base; its own methods are somebody's code and may raise."""
    try:
        return _BASES[base](value)
    except Exception as problem:
        name = value_types.name_of(type(value))
        what = f"an object of type {name}: reading it raised {type(problem).__name__}"
        raise Refused(what) from problem


# -- text ---------------------------------------------------------------------------------------------


def _no_default(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} was not shaped")


def _chunks_in_python(shaped: Any, _: int) -> list[str]:
    """Where there is no C accelerator (PyPy)."""
    return [json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(shaped)]


_chunks: Callable[[Any, int], Iterable[str]] = (
    _chunks_in_python
    if c_make_encoder is None
    else c_make_encoder(None, _no_default, encode_basestring, None, ":", ",", False, False, False)
)


def _dumps(shaped: Any) -> str:
    if type(shaped) is str:
        return encode_basestring(shaped)
    try:
        return "".join(_chunks(shaped, 0))
    except ValueError as problem:  # an int of more digits than Python is willing to write
        raise Refused(f"an int that cannot be written: {problem}") from None


def _check_size(text: str, limit: int) -> None:
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise XComError(f"the value is {size:,} bytes as JSON, {_WAY_OUT.format(limit)}")


# -- errors -------------------------------------------------------------------------------------------

_WAY_OUT = "the limit is {:,}: keep it in a file and hand on its path"
_TOO_DEEP = f"a value nested deeper than {DEEPEST} levels"


def _error(refused: Refused) -> XComError:
    """Words a refusal; a value that seemed endless contains itself if an object lies on its own path."""
    if refused.what == _TOO_DEEP:
        cyclic = len(set(refused.inside)) < len(refused.inside)
        return XComError(f"an XCom cannot hold {'a value that contains itself' if cyclic else _TOO_DEEP}")
    place = "".join(reversed(refused.path))
    return XComError(f"an XCom cannot hold {refused.what}{f' (at value{place})' if place else ''}")


# -- restoring ----------------------------------------------------------------------------------------


def _restore(value: Any, types: Types | None) -> Any:
    if type(value) is list:
        return [_restore(item, types) for item in value]
    if type(value) is not dict:
        return value
    if TAG not in value:
        return {key: _restore(item, types) for key, item in value.items()}
    tag = value[TAG]
    try:
        if tag == "dict":
            return {_key(_restore(key, types)): _restore(item, types) for key, item in value["items"]}
        parts = {key: _restore(item, types) for key, item in value.items() if key != TAG}
        return value_types.put_together(tag, parts, lambda name: find_class(name, types))
    except (XComError, RecursionError):
        raise
    except Exception as problem:  # a shape that nobody wrote, or a class that no longer takes what it gave
        why = f"{type(problem).__name__}: {problem}"
        raise XComError(f"an XCom of type {tag!r} cannot be read: {why}") from problem


def _key(key: Any) -> Any:
    try:
        hash(key)
    except TypeError:
        raise XComError(f"an XCom cannot be read: a dict's key of type {type(key).__name__}") from None
    return key
