"""Lengths of time: a constant number of microseconds, or months and years as the calendar has them.

A timedelta is constant, and so is a relativedelta of weeks and less: a day is 24 hours. Any other
relativedelta is added to moments in UTC, as Airflow does (timetables/_delta.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from flowlet.clock import from_micros, span_micros, to_micros
from flowlet.errors import TimetableError

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta

Span: TypeAlias = "int | relativedelta"

_LENGTHS = ("years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds")
_FIXED = ("year", "month", "day", "hour", "minute", "second", "microsecond")
#: Where a calendar's length is tried: 2000-01-01, 2001-02-28 and 2004-12-31T23:59.
_PROBES = (946_684_800_000_000, 983_318_400_000_000, 1_104_537_540_000_000)


def span_of(length: object, where: str) -> Span:
    """What a user gave as a length; it must not be negative."""
    if type(length).__name__ == "relativedelta":
        return _of_relativedelta(length, where)
    if not isinstance(length, timedelta):
        raise TimetableError(f"{where}={length!r} is neither a timedelta nor a relativedelta.")
    if length < timedelta(0):
        raise TimetableError(f"{where}={length} is negative.")
    return span_micros(length)


def _of_relativedelta(length: Any, where: str) -> Span:
    if not _is_constant(length):
        if any(later(probe, length) < probe for probe in _PROBES):
            raise TimetableError(f"{where}={length!r} is negative.")
        return length
    parts = {name: getattr(length, name) for name in _LENGTHS[2:] if name != "leapdays"}
    return span_of(timedelta(**parts), where)


def _is_constant(length: Any) -> bool:
    if length.years or length.months or length.leapdays or length.weekday is not None:
        return False
    return all(getattr(length, name) is None for name in _FIXED)


def always_advances(span: Span) -> bool:
    """Whether adding it again and again leads on: `relativedelta(day=31)` does not."""
    if isinstance(span, int):
        return span > 0
    return all(probe < later(probe, span) < later(later(probe, span), span) for probe in _PROBES)


def later(moment: int, span: Span) -> int:
    """The moment that much later."""
    return moment + span if isinstance(span, int) else to_micros(from_micros(moment) + span)


def earlier(moment: int, span: Span) -> int:
    """The moment that much earlier."""
    return moment - span if isinstance(span, int) else to_micros(from_micros(moment) - span)


def spell(span: Span) -> str:
    """For people: `1 day, 0:00:00`, `relativedelta(months=+1)`."""
    return str(timedelta(microseconds=span)) if isinstance(span, int) else repr(span)


def as_user_gave(span: Span) -> timedelta | relativedelta:
    """The timedelta or relativedelta."""
    return timedelta(microseconds=span) if isinstance(span, int) else span


def to_json(span: Span) -> int | dict[str, Any]:
    """A constant length as a number, another one as its parts."""
    if isinstance(span, int):
        return span
    parts: dict[str, Any] = {name: int(value) for name in _LENGTHS if (value := getattr(span, name))}
    parts |= {name: value for name in _FIXED if (value := getattr(span, name)) is not None}
    if span.weekday is not None:
        parts["weekday"] = [span.weekday.weekday, span.weekday.n]
    return parts


def from_json(shape: int | Mapping[str, Any]) -> timedelta | relativedelta:
    """The inverse of `to_json`."""
    if isinstance(shape, int):
        return timedelta(microseconds=shape)
    from dateutil.relativedelta import relativedelta, weekday

    parts = dict(shape)
    if "weekday" in parts:
        parts["weekday"] = weekday(*parts["weekday"])
    return relativedelta(**parts)
