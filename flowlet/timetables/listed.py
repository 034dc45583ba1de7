"""Runs at moments that somebody listed: matches of a season, holidays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flowlet.clock import to_micros
from flowlet.errors import TimetableError
from flowlet.timetables.base import Interval, Timetable, Told


class EventsTimetable(Timetable):
    """Due at each of the listed moments; doubles count once (Airflow: timetables/events.py).

    `restrict_to_events`: a run that somebody triggers is about the latest event before it (or the first of
    all). `presorted` is taken for granted by nobody here. `description`: what people read. Naive moments
    are UTC. Without catchup a new DAG runs no event of the past, as in Airflow; one that falls into a
    restart is made up.
    """

    __slots__ = ("_moments", "_text", "restrict_to_events")
    owes_the_latest = False
    description = Told(lambda timetable: timetable._text or timetable._count())

    def __init__(
        self,
        event_dates: Iterable[datetime],
        *,
        restrict_to_events: bool = False,
        presorted: bool = False,  # noqa: ARG002  Airflow's argument: it saves a sort
        description: str | None = None,
    ) -> None:
        self._moments = sorted({_moment(date) for date in event_dates})
        self.restrict_to_events = bool(restrict_to_events)
        self._text = description

    @property
    def event_dates(self) -> list[datetime]:
        """The moments, in order."""
        from flowlet.clock import from_micros

        return [from_micros(moment) for moment in self._moments]

    @property
    def summary(self) -> str:
        return self._text or f"{len(self._moments)} events"

    def _count(self) -> str:
        if not self._moments:
            return "No events"
        first, last = self.event_dates[0], self.event_dates[-1]
        return f"{len(self._moments)} events between {first.isoformat()} and {last.isoformat()}"

    def next_after(self, moment: int) -> int | None:
        at = bisect_right(self._moments, moment)
        return self._moments[at] if at < len(self._moments) else None

    def latest_until(self, moment: int, after: int) -> int | None:
        at = bisect_right(self._moments, moment)
        return self._moments[at - 1] if at and self._moments[at - 1] > after else None

    def count_between(self, after: int, until: int) -> int:
        return max(0, bisect_right(self._moments, until) - bisect_right(self._moments, after))

    def infer_manual(self, moment: int) -> Interval:
        if not self.restrict_to_events or not self._moments:
            return Interval(moment, moment, moment)
        event = self._moments[max(0, bisect_right(self._moments, moment) - 1)]
        return Interval(moment, event, event)

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": "events", "events": self._moments}
        if self.restrict_to_events:
            spec["restrict_to_events"] = True
        if self._text is not None:
            spec["description"] = self._text
        return spec


def _moment(date: object) -> int:
    if not isinstance(date, datetime):
        raise TimetableError(f"EventsTimetable: {date!r} in event_dates is not a datetime.")
    return to_micros(date if date.tzinfo is not None else date.replace(tzinfo=UTC))
