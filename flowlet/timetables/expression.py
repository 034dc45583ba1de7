"""From the text of a cron expression to its wall times: the one place that knows croniter.

croniter validates and expands; whatever fires, when, is ours (`calendar`, `cron`). Presets and plain
expressions of numbers and stars, which are most, are read without it: importing it costs 50 ms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from flowlet.errors import TimetableError
from flowlet.timetables.calendar import DayRule, Days, Times, WallClock

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

Field = frozenset[int | str] | None
"""None for `*`; otherwise numbers, and "l" for the last day of the month."""

_Expanded = tuple[tuple[Field, ...], frozenset[tuple[int, int]], frozenset[int]]
"""The fields; the weekdays of `#` and `L5` (see `DayRule.nth`); the days of `W`."""

_QUARTERLY: tuple[Field, ...] = (*map(frozenset, ([0], [0], [1], [1, 4, 7, 10])), None)
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_HASHED = re.compile(r"(^|,)[hr]($|[,/(])", re.ASCII)


@lru_cache(maxsize=4096)
def wall_clock(cron: str) -> WallClock:
    """The wall times of an expression of 5, 6 (seconds last) or 7 fields (years last), or of a preset.

    Raises TimetableError, without saying where, for what is wrong or never fires.
    """
    text = PRESETS.get(cron.strip().lower(), cron)
    columns = text.split()
    if text.strip().startswith("@"):
        known = ", ".join(sorted(PRESETS))
        raise TimetableError(f"{cron!r} is no preset; there are {known}, @once and @continuous.")
    if not 5 <= len(columns) <= 7:
        raise TimetableError(
            f"cron expression {cron!r} has {len(columns)} fields, not 5 (minute, hour, day of month, month,"
            " day of week) or 6 (the same, then seconds)."
        )
    if any(_HASHED.search(column.lower()) for column in columns):
        raise TimetableError(
            f"cron expression {cron!r}: hashed (H) and random (R) fields are not supported. Write the number."
        )
    clock = _build(*(_plain(columns) or _by_croniter(text, cron)))
    if clock.days.first_from(0) is None:
        raise TimetableError(f"cron expression {cron!r} never fires: no such day exists.")
    return clock


def _build(fields: Sequence[Field], nth: frozenset[tuple[int, int]], nearest: frozenset[int]) -> WallClock:
    minutes, hours, days, months, weekdays, *rest = fields
    seconds: Field = rest[0] if rest else frozenset([0])
    years: Field = rest[1] if len(rest) > 1 else None
    rule = DayRule(
        months=_numbers(months),
        days=_numbers(days),
        last_day=days is not None and "l" in days,
        weekdays=_numbers(weekdays),
        nth=nth,
        nearest=nearest,
        years=_numbers(years),
    )
    allowed_hours = _numbers(hours) or frozenset(range(24))
    times = Times(allowed_hours, _numbers(minutes) or range(60), _numbers(seconds) or range(60))
    return WallClock(Days(rule), times, every_hour=len(allowed_hours) == 24)


def _numbers(field: Field) -> frozenset[int] | None:
    return None if field is None else frozenset(value for value in field if isinstance(value, int))


def _plain(columns: list[str]) -> _Expanded | None:
    """Five fields of one number or `*` each, or a preset; None: croniter has to look at it."""
    if len(columns) != 5:
        return None
    quarterly = columns == PRESETS["@quarterly"].split()
    fields = _QUARTERLY if quarterly else tuple(map(_plain_field, columns, _LIMITS))
    return None if frozenset() in fields else (fields, frozenset(), frozenset())


def _plain_field(column: str, limits: tuple[int, int]) -> Field:
    """Empty: not plain."""
    if column == "*":
        return None
    if not (column.isascii() and column.isdecimal() and limits[0] <= int(column) <= limits[1]):
        return frozenset()
    value = int(column)
    return frozenset([0 if limits == (0, 7) and value == 7 else value])  # Sunday is 0 and 7


def _by_croniter(text: str, cron: str) -> _Expanded:
    from croniter import croniter

    try:
        expression = croniter(text, 0.0)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise TimetableError(f"cron expression {cron!r} is wrong: {error}") from error
    fields = tuple(None if "*" in values else frozenset(values) for values in expression.expanded)
    return fields, _nth(expression.nth_weekday_of_month), frozenset(expression.nearest_weekday)


def _nth(by_weekday: Mapping[Any, set[Any]]) -> frozenset[tuple[int, int]]:
    """croniter's {5: {2, "l"}} as {(5, 2), (5, 0)}."""
    return frozenset(
        (weekday, 0 if number == "l" else number)
        for weekday, numbers in by_weekday.items()
        for number in numbers
    )
