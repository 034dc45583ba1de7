"""Runs at the end of each data interval, which begins where the one before it ended.

The logical date is the interval's start. start_date and end_date bound that start (both inclusive): the
first run is due one interval after start_date, the last one after end_date (Airflow:
timetables/interval.py). With catchup and no start_date nothing is ever due, as there.
"""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from flowlet.timetables import spans
from flowlet.timetables.base import Interval
from flowlet.timetables.cron import CronMoments
from flowlet.timetables.delta import EveryDelta
from flowlet.timetables.window import LAST_MOMENT, LONG_AGO

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta


class CronDataIntervalTimetable(CronMoments):
    """Data intervals from each match of a cron expression to the next.

    Somebody who triggers a run gets the last interval that was complete by then.
    """

    __slots__ = ()
    catches_up_from_start_only = True

    def __init__(
        self, expression: str | None = None, timezone: str | tzinfo = "UTC", *, cron: str | None = None
    ) -> None:
        super().__init__(expression if cron is None else cron, timezone)  # type: ignore[arg-type]  # None is refused there

    def first_due(self, start: int) -> int:
        begin = self.next_after(start - 1)
        due = None if begin is None else self.next_after(begin)
        return LAST_MOMENT + 1 if due is None else due

    def last_due(self, end: int) -> int:
        due = self.next_after(end)
        return LAST_MOMENT if due is None else due

    def first_cursor(self, now: int) -> int:
        latest = self.latest_until(now, LONG_AGO)
        return now - 1 if latest is None else latest - 1

    def interval_of(self, due: int) -> Interval:
        start = self.latest_until(due - 1, LONG_AGO)
        return Interval(due, due, due) if start is None else Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        end = self.latest_until(moment, LONG_AGO)
        if end is None:
            return Interval(moment, moment, moment)
        return self.interval_of(end)._replace(logical_date=moment)

    def to_spec(self) -> dict[str, Any]:
        return self.spec_of_cron("cron_interval")


class DeltaDataIntervalTimetable(EveryDelta):
    """Data intervals of a constant length, or of as many months, from start_date on.

    Without start_date they lie on the grid of 1970-01-01T00:00Z; months count from the first registration.
    """

    __slots__ = ("floats",)
    catches_up_from_start_only = True

    def __init__(self, delta: timedelta | relativedelta) -> None:
        super().__init__(delta)
        self.floats = not isinstance(self.delta, int)

    def _copy(self, other: Any) -> None:
        super()._copy(other)
        self.floats = False

    def first_due(self, start: int) -> int:
        return spans.later(start, self.delta)

    def last_due(self, end: int) -> int:
        due = self.next_after(end)
        return LAST_MOMENT if due is None else due

    def first_cursor(self, now: int) -> int:
        if self.floats:
            return spans.earlier(now, self.delta)
        latest = self.latest_until(now, LONG_AGO)
        return now - 1 if latest is None else latest - 1

    def interval_of(self, due: int) -> Interval:
        start = None if self.floats else self.latest_until(due - 1, LONG_AGO)
        start = spans.earlier(due, self.delta) if start is None else start
        return Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        return Interval(moment, spans.earlier(moment, self.delta), moment)

    def to_spec(self) -> dict[str, Any]:
        return {"type": "delta_interval", "delta": spans.to_json(self.delta)}
