"""What templates find under `macros` (Airflow: sdk/execution_time/macros.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_MODULES = frozenset({"json", "time", "uuid", "dateutil", "yaml"})


def find(name: str) -> Any:
    """A macro by its name. AttributeError if there is none, or if its library is not installed."""
    if name in _MODULES:
        from importlib import import_module

        try:
            return import_module(name)
        except ImportError:
            raise AttributeError(f"macros.{name} needs a library that is not installed") from None
    if name == "random":
        from random import random

        return random
    if name not in _HERE:
        raise AttributeError(f"there is no macro {name!r}")
    return _HERE[name]


def names() -> list[str]:
    """All that `find` may give."""
    return sorted({*_MODULES, *_HERE, "random"})


def has(name: str) -> bool:
    """Whether there is such a macro, here and now."""
    try:
        find(name)
    except AttributeError:
        return False
    return True


def ds_add(ds: str, days: int) -> str:
    """A date (YYYY-MM-DD) some days later, or earlier."""
    return (_parsed(ds, "%Y-%m-%d") + timedelta(days=days)).strftime("%Y-%m-%d") if days else str(ds)


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """A date in another form (strftime's codes)."""
    return _parsed(ds, input_format).strftime(output_format)


def ds_format_locale(ds: str, input_format: str, output_format: str, locale: object = None) -> str:
    """A date in the words of a language; the output format is in Babel's codes, and needs Babel."""
    from importlib import import_module

    try:
        dates = import_module("babel.dates")
    except ImportError:
        raise AttributeError("macros.ds_format_locale needs Babel, which is not installed") from None
    return str(
        dates.format_datetime(_parsed(ds, input_format), format=output_format, locale=locale or "en_US")
    )


def datetime_diff_for_humans(dt: datetime, since: datetime | None = None) -> str:
    """How far from now, or from `since`, in words: `5 minutes ago`, `3 days after`."""
    from flowlet.clock import SystemClock, from_micros

    here = _aware(since if since is not None else from_micros(SystemClock().now()))
    moment = _aware(dt)
    words = _in_words(min(moment, here), max(moment, here))
    if since is None:
        return f"in {words}" if moment > here else f"{words} ago"
    return f"{words} {'after' if moment > here else 'before'}"


def _in_words(earlier: datetime, later: datetime) -> str:
    """The largest unit of the calendar of which there is at least one, rounded up when the next is near.

    So does pendulum, whose words these are: 13 days are two weeks, 345 days a year.
    """
    from dateutil.relativedelta import relativedelta

    apart = relativedelta(later.astimezone(UTC), earlier.astimezone(UTC))
    weeks, days = divmod(apart.days, 7)
    if apart.years or (apart.months == 11 and apart.days > 15):
        return _many("year", apart.years + (apart.months > 6) if apart.years else 1)
    if apart.months:
        return _many("month", apart.months + (apart.days >= 27))
    if weeks:
        return _many("week", weeks + (days > 3))
    if days:
        return _many("day", days + (apart.hours >= 22))
    for unit, count in (("hour", apart.hours), ("minute", apart.minutes)):
        if count:
            return _many(unit, count)
    return f"{apart.seconds} seconds" if apart.seconds > 10 else "a few seconds"


def _many(unit: str, count: int) -> str:
    return f"{count} {unit}{'s' if count > 1 else ''}"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _parsed(ds: str, form: str) -> datetime:
    return datetime.strptime(str(ds), form)  # noqa: DTZ007  a calendar date has no zone


_HERE = {
    "datetime": datetime,
    "timedelta": timedelta,
    "ds_add": ds_add,
    "ds_format": ds_format,
    "ds_format_locale": ds_format_locale,
    "datetime_diff_for_humans": datetime_diff_for_humans,
}
