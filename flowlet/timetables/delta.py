"""Every so often, in absolute time: a day is 24 hours whatever the clocks on the walls do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from flowlet.timetables import spans
from flowlet.timetables.base import Interval, Timetable, Told
from flowlet.timetables.steps import checked, steps_of

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta

    from flowlet.timetables.steps import Steps


class EveryDelta(Timetable):
    """Due every `delta`, a timedelta or relativedelta, counted from an anchor.

    The anchor is the DAG's start_date. (Airflow, without catchup, goes on from whenever its scheduler last
    looked: that moves the ticks of a DAG with every restart, and none could be accounted for.)
    """

    __slots__ = ("_steps", "delta")

    description = Told(lambda timetable: f"every {spans.spell(timetable.delta)}")

    def __init__(self, delta: timedelta | relativedelta) -> None:
        where = f"{type(self).__name__}: delta"
        self.delta = checked(spans.span_of(delta, where), where)
        self._steps: Steps = steps_of(self.delta, 0)

    def anchored(self, start: int) -> Self:
        twin = object.__new__(type(self))
        twin._copy(self)
        twin._steps = steps_of(self.delta, start)
        return twin

    def _copy(self, other: Self) -> None:
        self.delta = other.delta

    @property
    def summary(self) -> str:
        return spans.spell(self.delta)

    def next_after(self, moment: int) -> int | None:
        return self._steps.next_after(moment)

    def latest_until(self, moment: int, after: int) -> int | None:
        return self._steps.latest_until(moment, after)

    def count_between(self, after: int, until: int) -> int:
        return self._steps.count_between(after, until)


class DeltaTriggerTimetable(EveryDelta):
    """Due every `delta` from start_date on, or, without one, at once and then from its last tick.

    `interval` (a timedelta or relativedelta) makes the data interval the stretch before the tick, and its
    start the logical date. See airflow.timetables.trigger.
    """

    __slots__ = ("interval",)
    floats = True

    def __init__(
        self, delta: timedelta | relativedelta, *, interval: timedelta | relativedelta = timedelta(0)
    ) -> None:
        super().__init__(delta)
        self.interval = spans.span_of(interval, "DeltaTriggerTimetable: interval")

    def _copy(self, other: Self) -> None:
        super()._copy(other)
        self.interval = other.interval

    def first_cursor(self, now: int) -> int:
        return spans.earlier(now, self.delta)  # due at once

    def interval_of(self, due: int) -> Interval:
        start = spans.earlier(due, self.interval)
        return Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        return Interval(moment, spans.earlier(moment, self.interval), moment)

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": "delta", "delta": spans.to_json(self.delta)}
        if self.interval:
            spec["interval"] = spans.to_json(self.interval)
        return spec
