"""Cron in a time zone, with a named policy for daylight saving.

By default as Airflow: an expression whose hour field covers all 24 hours is evaluated in absolute time
(wall times in a gap do not exist, both folds fire); any other in wall time: the wall times that a gap
jumps over run once, together, at the first instant after it; a time that occurs twice runs at its first
occurrence. Put differently: a wall time is due at the first instant at which the clock shows it or has
passed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from flowlet.clock import SECOND
from flowlet.errors import TimetableError
from flowlet.timetables.base import Timetable, Told
from flowlet.timetables.expression import wall_clock
from flowlet.timetables.union import union_of
from flowlet.timetables.zones import DAY, HIGHEST, LOWEST, Span, zone_for


class CronMoments(Timetable):
    """Due whenever a cron expression matches: what all timetables of cron have in common.

    `gap` ("next": the times in it run at its end; "skip": never) and `fold` ("first": a repeated time
    runs once; "both") override the policy of daylight saving, also for expressions of every hour.
    """

    __slots__ = ("_both", "_next", "_wall", "_zone", "cron", "fold", "gap")

    description = Told(lambda timetable: _described(timetable.cron, timetable.timezone))

    def __init__(
        self, cron: str, timezone: str | tzinfo = "UTC", *, gap: str | None = None, fold: str | None = None
    ) -> None:
        name = type(self).__name__
        if not isinstance(cron, str):
            raise TimetableError(f"{name}: cron={cron!r} is not a string.")
        self.cron = cron.strip()
        self.gap = _one_of(name, "gap", gap, "next", "skip")
        self.fold = _one_of(name, "fold", fold, "first", "both")
        self._wall = wall_clock(self.cron)
        self._zone = zone_for(timezone, where=f"cron {self.cron!r}")
        self._next = not self._wall.every_hour if gap is None else gap == "next"
        self._both = self._wall.every_hour if fold is None else fold == "both"

    @property
    def expression(self) -> str:
        """The cron expression (Airflow's name)."""
        return self.cron

    @property
    def timezone(self) -> str:
        """The zone's name; "+02:00" for a fixed offset."""
        return self._zone.name

    @property
    def summary(self) -> str:
        return self.cron

    def spec_of_cron(self, kind: str) -> dict[str, Any]:
        """The part of the spec that says when."""
        spec: dict[str, Any] = {"type": kind, "cron": self.cron, "timezone": self.timezone}
        if self.gap is not None:
            spec["gap"] = self.gap
        if self.fold is not None:
            spec["fold"] = self.fold
        return spec

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


def count_together(crons: Sequence[CronMoments], after: int, until: int) -> int:
    """How many moments of (after, until] at least one of the expressions, all of one zone, is due at."""
    zone, everybody = crons[0]._zone, union_of(tuple(cron._wall for cron in crons))
    twice = union_of(tuple(cron._wall for cron in crons if cron._both))
    at = max(after // SECOND + 1, LOWEST)
    stop = min(until // SECOND, HIGHEST) + 1
    total = 0
    while at < stop:
        span = zone.span_at(at)
        start, end, offset, _ = span
        if at == start and any(cron._next and cron._gap_holds_a_match(span) for cron in crons):
            total += not everybody.count(start + offset, start + offset + 1)  # else counted below
        wall, fresh, last = at + offset, span.fresh, min(end, stop) + offset
        total += twice.count(wall, min(fresh, last)) + everybody.count(max(wall, fresh), last)
        at = end
    return total


def _described(cron: str, zone: str) -> str:
    return cron if zone == "UTC" else f"{cron} ({zone})"


def _one_of(timetable: str, name: str, value: str | None, *allowed: str) -> str | None:
    if value is None or value in allowed:
        return value
    raise TimetableError(f"{timetable}: {name}={value!r} is none of {', '.join(map(repr, allowed))}.")
