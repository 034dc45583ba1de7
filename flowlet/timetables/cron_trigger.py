"""Runs at the moments of a cron expression, or of several."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from flowlet.clock import MINUTE, span_micros
from flowlet.errors import TimetableError
from flowlet.timetables import spans
from flowlet.timetables.base import Interval, Timetable, Told
from flowlet.timetables.cron import CronMoments, count_together
from flowlet.timetables.window import LONG_AGO

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta

#: With `run_immediately=None`: a first tick may be a tenth of the period old, and at least this.
_YOUNG = 5 * MINUTE


class CronTriggerTimetable(CronMoments):
    """Due whenever a cron expression matches; the run's interval is the moment itself.

    `interval` (a timedelta or relativedelta) makes the data interval the stretch before the tick, and its
    start the logical date. `run_immediately` says what a DAG without start_date does at its first
    registration: wait for the next tick (False), run the latest (True), run it if it is at most that old
    (timedelta), or if it is younger than a tenth of the period, at least 5 minutes (None). See
    airflow.timetables.trigger; False is as documented there (the code of 3.3 takes it for None).

    `gap` and `fold` override the policy of daylight saving, see `CronMoments`. `cron=` is Airflow 2's
    spelling of `expression`.
    """

    __slots__ = ("interval", "run_immediately")

    def __init__(
        self,
        expression: str | None = None,
        timezone: str | tzinfo = "UTC",
        *,
        interval: timedelta | relativedelta = timedelta(0),
        run_immediately: bool | timedelta | None = False,
        gap: str | None = None,
        fold: str | None = None,
        cron: str | None = None,
    ) -> None:
        super().__init__(expression if cron is None else cron, timezone, gap=gap, fold=fold)  # type: ignore[arg-type]  # None is refused there
        where = f"CronTriggerTimetable({self.cron!r})"
        self.interval = spans.span_of(interval, f"{where}: interval")
        self.run_immediately = run_immediately
        if not isinstance(run_immediately, (bool, timedelta)) and run_immediately is not None:
            raise TimetableError(f"{where}: run_immediately={run_immediately!r} is no bool, timedelta or None.")

    def interval_of(self, due: int) -> Interval:
        interval = self.interval
        start = due - interval if type(interval) is int else spans.earlier(due, interval)
        return Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        return Interval(moment, spans.earlier(moment, self.interval), moment)

    def first_cursor(self, now: int) -> int:
        if self.run_immediately is False:
            return now - 1
        latest = self.latest_until(now, LONG_AGO)
        young = latest is not None and now - latest <= self._age_to_run(latest, now)
        return now - 1 if latest is None or not young else latest - 1

    def _age_to_run(self, latest: int, now: int) -> int:
        """How old the latest tick may be to be run at the first registration."""
        if self.run_immediately is True:
            return now - latest
        if isinstance(self.run_immediately, timedelta):
            return span_micros(self.run_immediately)
        following = self.next_after(now) or latest
        return max((following - latest) // 10, _YOUNG)

    def to_spec(self) -> dict[str, Any]:
        spec = self.spec_of_cron("cron")
        if self.interval:
            spec["interval"] = spans.to_json(self.interval)
        if self.run_immediately is not False:
            spec["run_immediately"] = age_to_json(self.run_immediately)
        return spec


class MultipleCronTriggerTimetable(Timetable):
    """Due whenever one of several cron expressions matches; once, when several do at one moment.

    Otherwise as CronTriggerTimetable. The interval of a triggered run is that of the first expression.
    """

    __slots__ = ("timetables",)
    description = Told(lambda timetable: ", ".join(cron.description for cron in timetable.timetables))

    def __init__(
        self,
        *crons: str,
        timezone: str | tzinfo = "UTC",
        interval: timedelta | relativedelta = timedelta(0),
        run_immediately: bool | timedelta | None = False,
    ) -> None:
        if not crons:
            raise TimetableError("MultipleCronTriggerTimetable: at least one cron expression is needed.")
        self.timetables = [
            CronTriggerTimetable(cron, timezone, interval=interval, run_immediately=run_immediately) for cron in crons
        ]

    @property
    def summary(self) -> str:
        return ", ".join(cron.summary for cron in self.timetables)

    def next_after(self, moment: int) -> int | None:
        found = [due for cron in self.timetables if (due := cron.next_after(moment)) is not None]
        return min(found, default=None)

    def latest_until(self, moment: int, after: int) -> int | None:
        found = [due for cron in self.timetables if (due := cron.latest_until(moment, after)) is not None]
        return max(found, default=None)

    def count_between(self, after: int, until: int) -> int:
        return count_together(self.timetables, after, until)

    def first_cursor(self, now: int) -> int:
        owed = [cursor for cron in self.timetables if (cursor := cron.first_cursor(now)) < now - 1]
        return max(owed, default=now - 1)

    def interval_of(self, due: int) -> Interval:
        return self.timetables[0].interval_of(due)

    def infer_manual(self, moment: int) -> Interval:
        return self.timetables[0].infer_manual(moment)

    def to_spec(self) -> dict[str, Any]:
        spec = {**self.timetables[0].to_spec(), "type": "crons"}
        return {**spec, "cron": [cron.cron for cron in self.timetables]}


def age_to_json(age: bool | timedelta | None) -> bool | int | None:
    """`run_immediately` as JSON."""
    return span_micros(age) if isinstance(age, timedelta) else age


def age_from_json(age: Any) -> bool | timedelta | None:
    """Its inverse."""
    return age if isinstance(age, bool) or age is None else timedelta(microseconds=age)
