"""What Airflow's timetables speak in: datetimes, data intervals, restrictions (Airflow: timetables/base.py).

Classes that users write take and give these; here they are turned into moments and back.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.clock import SystemClock, from_micros, to_micros
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.timetables.base import Timetable

#: The moment for which a user's timetable is asked; without one (somebody calls it by hand) the time of day.
ASKED_AT: ContextVar[int | None] = ContextVar("flowlet_timetable_asked_at", default=None)


class DataInterval(NamedTuple):
    """The stretch of data that a run is about; aware datetimes."""

    start: datetime
    end: datetime

    @classmethod
    def exact(cls, at: datetime) -> DataInterval:
        """A moment."""
        return cls(at, at)


class TimeRestriction(NamedTuple):
    """start_date, end_date (both inclusive) and catchup of the DAG that asks."""

    earliest: datetime | None
    latest: datetime | None
    catchup: bool


class DagRunInfo(NamedTuple):
    """The next run: when it may begin, and its data interval."""

    run_after: datetime
    data_interval: DataInterval | None
    partition_date: datetime | None = None
    partition_key: str | None = None

    @classmethod
    def exact(cls, at: datetime) -> DagRunInfo:
        """A run at a moment, about that moment."""
        return cls(at, DataInterval.exact(at))

    @classmethod
    def interval(cls, start: datetime, end: datetime) -> DagRunInfo:
        """A run at the end of an interval."""
        return cls(end, DataInterval(start, end))

    @property
    def logical_date(self) -> datetime | None:
        """The start of the data interval."""
        return None if self.data_interval is None else self.data_interval.start


def moment_for_users(micros: int) -> Any:
    """An aware datetime in UTC; pendulum's where pendulum is loaded, for that is what Airflow hands out."""
    moment = from_micros(micros)
    instance = getattr(sys.modules.get("pendulum"), "instance", None)
    return moment if instance is None else instance(moment)


def next_info(
    timetable: Timetable, last: DataInterval | None, restriction: TimeRestriction
) -> DagRunInfo | None:
    """What our own timetables answer (Airflow: `next_dagrun_info` of timetables/trigger.py, interval.py).

    Without catchup the latest tick until now stands for all that were missed.
    """
    start, end = _micros(restriction.earliest), _micros(restriction.latest)
    ticks = timetable.ticks(start, end, catchup=restriction.catchup)
    now = ASKED_AT.get() or SystemClock().now()
    if last is not None:
        cursor = to_micros(last.end)
    else:
        cursor = timetable.first_cursor(now) if start is None else start - 1
    if not restriction.catchup and not timetable.owes_the_latest:
        cursor = max(cursor, now - 1)
    due = ticks.next_after(cursor)
    if due is None:
        return None
    if not restriction.catchup and due < now:
        due = ticks.latest_until(now, cursor) or due
    interval = ticks.interval_of(due)
    between = DataInterval(moment_for_users(interval.start), moment_for_users(interval.end))
    return DagRunInfo(moment_for_users(due), between)


def manual_interval(timetable: Timetable, run_after: datetime) -> DataInterval:
    """The same for a run that is triggered by hand."""
    interval = timetable.infer_manual(to_micros(run_after))
    return DataInterval(moment_for_users(interval.start), moment_for_users(interval.end))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
