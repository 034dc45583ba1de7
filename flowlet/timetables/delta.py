"""Every so often: a constant distance in absolute time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flowlet.errors import TimetableError
from flowlet.timetables.base import Interval, Timetable
from flowlet.timetables.cron import absolute


class DeltaTriggerTimetable(Timetable):
    """Due every `delta`, counted from `anchor`: the DAG's start_date, or its last tick (`anchored`).

    Daylight saving does not move it: a day is 24 hours.
    """

    __slots__ = ("anchor", "delta", "interval")

    def __init__(self, delta: timedelta, *, interval: timedelta = timedelta(0)) -> None:
        self.delta = absolute(delta, "DeltaTriggerTimetable: delta")
        self.interval = absolute(interval, "DeltaTriggerTimetable: interval")
        self.anchor = 0
        if not self.delta:
            raise TimetableError("DeltaTriggerTimetable: a delta of 0 would be due for ever at one moment.")

    def anchored(self, anchor: int) -> DeltaTriggerTimetable:
        """The same, counted from a moment."""
        twin = object.__new__(type(self))
        twin.delta, twin.interval, twin.anchor = self.delta, self.interval, anchor
        return twin

    @property
    def description(self) -> str:
        return f"every {timedelta(microseconds=self.delta)}"

    def next_after(self, moment: int) -> int | None:
        return moment + self.delta - (moment - self.anchor) % self.delta

    def latest_until(self, moment: int, after: int) -> int | None:
        latest = moment - (moment - self.anchor) % self.delta
        return latest if latest > after else None

    def count_between(self, after: int, until: int) -> int:
        if until <= after:
            return 0
        return (until - self.anchor) // self.delta - (after - self.anchor) // self.delta

    def interval_of(self, due: int) -> Interval:
        start = due - self.interval
        return Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        return Interval(moment, moment - self.interval, moment)

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": "delta", "delta": self.delta}
        if self.interval:
            spec["interval"] = self.interval
        return spec
