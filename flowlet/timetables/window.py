"""A timetable within the dates of one DAG: its ticks.

start_date and end_date are inclusive (Airflow: `TimeRestriction`); for timetables of data intervals they
bound the interval's start, which is the logical date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.clock import DAY

if TYPE_CHECKING:
    from flowlet.timetables.base import Interval, Timetable

#: Before every moment that a tick may have.
LONG_AGO = -(1 << 62)
#: A tick beyond this is none: datetimes end with the year 9999.
LAST_MOMENT = 253_402_300_800_000_000 - 4 * DAY


class Ticks:
    """The due moments of one DAG. `cursor` is a moment up to which all is accounted for."""

    __slots__ = ("_first", "_floats", "_last", "_never", "_ticks", "now")

    def __init__(self, timetable: Timetable, start: int | None, end: int | None, *, catchup: bool) -> None:
        ticks = self._ticks = timetable if start is None else timetable.anchored(start)
        self._floats = start is None and timetable.floats
        self._never = start is None and catchup and timetable.catches_up_from_start_only
        self._first = LONG_AGO if start is None else ticks.first_due(start)
        self._last = LAST_MOMENT if end is None else ticks.last_due(end)
        self.now = 0
        """The moment of the plan for which the ticks are asked; timetables of users may want to know."""

    def next_after(self, cursor: int) -> int | None:
        """The first tick after the cursor."""
        ticks = self._ticks.anchored(cursor) if self._floats else self._ticks
        due = ticks.next_after(cursor if cursor >= self._first else self._first - 1)
        return None if due is None or due > self._last or self._never else due

    def latest_until(self, moment: int, cursor: int) -> int | None:
        """The last tick in (cursor, moment]."""
        if self._never:
            return None
        return self._from(cursor).latest_until(min(moment, self._last), max(cursor, self._first - 1))

    def count_between(self, cursor: int, moment: int) -> int:
        """How many ticks there are in (cursor, moment]."""
        if self._never:
            return 0
        return self._from(cursor).count_between(max(cursor, self._first - 1), min(moment, self._last))

    def interval_of(self, due: int) -> Interval:
        """The logical date and data interval of the run that a tick makes."""
        return self._ticks.interval_of(due)

    def _from(self, cursor: int) -> Timetable:
        return self._ticks.anchored(cursor) if self._floats else self._ticks
