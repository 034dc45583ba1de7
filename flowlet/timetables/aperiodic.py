"""What no calendar makes due: never, once, and again as soon as the last run is over.

When these run depends on a DAG's registration and its active runs; the scheduler's ticks know both.
"""

from __future__ import annotations

from typing import Any

from flowlet.timetables.base import Timetable


class NullTimetable(Timetable):
    """`schedule=None`: runs are triggered, never due."""

    __slots__ = ()
    periodic = False
    can_be_scheduled = False
    description = "None"

    def next_after(self, moment: int) -> int | None:  # noqa: ARG002  the interface
        return None

    def to_spec(self) -> dict[str, Any]:
        return {"type": "null"}


class OnceTimetable(NullTimetable):
    """`schedule="@once"`: one tick, at the start_date or at the first registration."""

    __slots__ = ()
    can_be_scheduled = True
    description = "@once"

    def anchored(self, start: int) -> Timetable:
        return _Moment(start)

    def to_spec(self) -> dict[str, Any]:
        return {"type": "once"}


class _Moment(NullTimetable):
    """A single tick: "@once" with a start_date."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def next_after(self, moment: int) -> int | None:
        return self.at if self.at > moment else None


class ContinuousTimetable(NullTimetable):
    """`schedule="@continuous"`: due as soon as no run is active; one run at a time.

    The data interval of a run reaches from the tick before it to its own.
    """

    __slots__ = ()
    can_be_scheduled = True
    active_runs_limit = 1
    description = "@continuous"

    def to_spec(self) -> dict[str, Any]:
        return {"type": "continuous"}
