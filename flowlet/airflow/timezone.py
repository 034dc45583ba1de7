"""`airflow.utils.timezone`: moments with a zone (Airflow: sdk/timezone.py)."""

from __future__ import annotations

import datetime as _dt
from typing import Any

from flowlet.authoring import dates
from flowlet.clock import SystemClock, from_micros

utc = _dt.UTC


def utcnow() -> _dt.datetime:
    """Now, in UTC."""
    return from_micros(SystemClock().now())


def is_localized(value: _dt.datetime) -> bool:
    """Whether it has a zone."""
    return value.utcoffset() is not None


def is_naive(value: _dt.datetime) -> bool:
    """Whether it has none."""
    return not is_localized(value)


def make_aware(value: _dt.datetime, timezone: Any = None) -> _dt.datetime:
    """A naive moment, read in a zone (default: the default time zone)."""
    if is_localized(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    return value.replace(tzinfo=_zone(timezone))


def make_naive(value: _dt.datetime, timezone: Any = None) -> _dt.datetime:
    """A moment as the clocks of a zone show it, without the zone."""
    if is_naive(value):
        raise ValueError("make_naive() cannot be applied to a naive datetime")
    return value.astimezone(_zone(timezone)).replace(tzinfo=None)


def convert_to_utc(value: _dt.datetime | None) -> _dt.datetime | None:
    """The same moment in UTC; a naive one is read in the default time zone."""
    return None if value is None else dates.aware(value, _zone(None)).astimezone(utc)


def coerce_datetime(value: _dt.datetime | None, tz: Any = None) -> _dt.datetime | None:
    """The moment with a zone, shown in `tz` if that is given."""
    if value is None:
        return None
    moment = dates.aware(value, _zone(tz))
    return moment if tz is None else moment.astimezone(_zone(tz))


def parse(string: str, timezone: Any = None, *, strict: bool = False) -> _dt.datetime:  # noqa: ARG001  Airflow's signature
    """A moment from its ISO text; without an offset it is read in the zone."""
    return dates.aware(string, _zone(timezone))


def datetime(*args: Any, **kwargs: Any) -> _dt.datetime:
    """As `datetime.datetime`, in the default time zone unless `tzinfo` is given."""
    moment = _dt.datetime(*args, **kwargs)  # noqa: DTZ001  the next line gives it one
    return dates.aware(moment, _zone(None))


def _zone(zone: Any) -> Any:
    if zone is None:
        return dates.zone_of(dates.default_timezone())
    return dates.zone_of(zone) if isinstance(zone, str) else zone
