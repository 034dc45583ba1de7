"""Cron in a time zone, with a named policy for daylight saving.

By default as Airflow: an expression whose hour field covers all 24 hours is evaluated in absolute time
(wall times in a gap do not exist, both folds fire); any other in wall time: the wall times that a gap
jumps over run once, together, at the first instant after it; a time that occurs twice runs at its first
occurrence. Put differently: a wall time is due at the first instant at which the clock shows it or has
passed it.
"""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import Any

from flowlet.clock import SECOND, span_micros
from flowlet.errors import TimetableError
from flowlet.timetables.base import Interval, Timetable
from flowlet.timetables.expression import wall_clock
from flowlet.timetables.zones import DAY, HIGHEST, LOWEST, Span, zone_for


class CronTriggerTimetable(Timetable):
    """Due whenever a cron expression matches; the run's interval is the moment itself.

    `interval` makes the data interval the stretch before the tick, and its start the logical date.
    `run_immediately` says what a DAG without start_date does at its first registration: wait for the next
    tick (False), run the latest (True), run it if it is at most that old (timedelta), or if it is younger
    than a tenth of the period, at least 5 minutes (None). See airflow.timetables.trigger.

    `gap` ("next": the times in it run at its end; "skip": never) and `fold` ("first": a repeated time
    runs once; "both") override the policy of daylight saving, also for expressions of every hour.
    """

    __slots__ = ("_both", "_next", "_wall", "_zone", "cron", "fold", "gap", "interval", "run_immediately")

    def __init__(
        self,
        cron: str,
        timezone: str | tzinfo = "UTC",
        *,
        interval: timedelta = timedelta(0),
        run_immediately: bool | timedelta | None = False,
        gap: str | None = None,
        fold: str | None = None,
    ) -> None:
        if not isinstance(cron, str):
            raise TimetableError(f"CronTriggerTimetable: cron={cron!r} is not a string.")
        self.cron = cron.strip()
        self.interval = absolute(interval, f"CronTriggerTimetable({cron!r}): interval")
        self.run_immediately = run_immediately
        self.gap = _one_of("gap", gap, "next", "skip")
        self.fold = _one_of("fold", fold, "first", "both")
        self._wall = wall_clock(self.cron)
        self._zone = zone_for(timezone, where=f"cron {self.cron!r}")
        self._next = not self._wall.every_hour if gap is None else gap == "next"
        self._both = self._wall.every_hour if fold is None else fold == "both"

    @property
    def timezone(self) -> str:
        """The zone's name; "+02:00" for a fixed offset."""
        return self._zone.name

    @property
    def description(self) -> str:
        zone = self._zone.name
        return self.cron if zone == "UTC" else f"{self.cron} ({zone})"

    def next_after(self, moment: int) -> int | None:
        at = moment // SECOND + 1
        if at < LOWEST:
            at = LOWEST
        while at <= HIGHEST:
            span = self._zone.span_at(at)
            start, end, offset, peak = span
            if at == start and self._next and self._gap_holds_a_match(span):
                return at * SECOND
            wall = at + offset
            if wall < peak and not self._both:
                wall = peak
            match = self._wall.first_from(wall)
            if match is None:
                return None
            due = match - offset
            if due < end:
                return due * SECOND if due <= HIGHEST else None
            later = self._wall.first_from(end - DAY)  # no clock is a day behind UTC, nor ahead of it
            if later is None:
                return None
            at = max(end, later - DAY)
        return None

    def latest_until(self, moment: int, after: int) -> int | None:
        at = min(moment // SECOND, HIGHEST)
        lowest = max(after // SECOND + 1, LOWEST)
        while at >= lowest:
            span = self._zone.span_at(at)
            start, _, offset, peak = span
            match = self._wall.last_to(at + offset)
            if match is not None and match >= (start + offset if self._both else span.fresh):
                return (match - offset) * SECOND if match - offset >= lowest else None
            if self._next and self._gap_holds_a_match(span):
                return start * SECOND if start >= lowest else None
            earlier = self._wall.last_to(peak - 1)  # before `start`, no clock has shown more than that
            if earlier is None:
                return None
            at = min(start - 1, earlier + DAY)
        return None

    def count_between(self, after: int, until: int) -> int:
        at = max(after // SECOND + 1, LOWEST)
        stop = min(until // SECOND, HIGHEST) + 1
        total = 0
        while at < stop:
            span = self._zone.span_at(at)
            start, end, offset, _ = span
            if at == start and self._next and self._gap_holds_a_match(span):
                total += self._wall.first_from(start + offset) != start + offset  # else counted below
            wall = at + offset if self._both else max(at + offset, span.fresh)
            total += self._wall.count(wall, min(end, stop) + offset)
            at = end
        return total

    def _gap_holds_a_match(self, span: Span) -> bool:
        """Whether the clock, put forward at the start of a span, jumped over a matching time."""
        wall = span.start + span.offset
        if span.peak >= wall:
            return False
        match = self._wall.first_from(span.peak)
        return match is not None and match < wall

    def interval_of(self, due: int) -> Interval:
        start = due - self.interval
        return Interval(start, start, due)

    def infer_manual(self, moment: int) -> Interval:
        return Interval(moment, moment - self.interval, moment)

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": "cron", "cron": self.cron, "timezone": self.timezone}
        if self.interval:
            spec["interval"] = self.interval
        if self.run_immediately is not False:
            age = self.run_immediately
            spec["run_immediately"] = span_micros(age) if isinstance(age, timedelta) else age
        if self.gap is not None:
            spec["gap"] = self.gap
        if self.fold is not None:
            spec["fold"] = self.fold
        return spec


def _one_of(name: str, value: str | None, *allowed: str) -> str | None:
    if value is None or value in allowed:
        return value
    raise TimetableError(
        f"CronTriggerTimetable: {name}={value!r} is none of {', '.join(map(repr, allowed))}."
    )


def absolute(span: object, where: str) -> int:
    """A timedelta, or a relativedelta of days and less, as microseconds."""
    if type(span).__name__ == "relativedelta":
        span = _of_relativedelta(span, where)
    if not isinstance(span, timedelta):
        raise TimetableError(f"{where}={span!r} is not a timedelta.")
    if span < timedelta(0):
        raise TimetableError(f"{where}={span} is negative.")
    return span_micros(span)


def _of_relativedelta(span: Any, where: str) -> timedelta:
    fixed = ("year", "month", "day", "weekday", "hour", "minute", "second", "microsecond")
    if span.years or span.months or span.leapdays or any(getattr(span, part) is not None for part in fixed):
        raise TimetableError(
            f"{where}={span!r}: months, years and fixed parts have no constant length."
            ' Use a cron expression, such as "0 0 1 * *" for each month.'
        )
    return timedelta(
        days=span.days,
        hours=span.hours,
        minutes=span.minutes,
        seconds=span.seconds,
        microseconds=span.microseconds,
    )
