"""What every timetable answers. Moments are microseconds UTC (see `flowlet.clock`)."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowlet.errors import TimetableError

#: How many ticks the generic `latest_until` and `count_between` walk before they give up.
LONGEST_WALK = 1_000_000


class Interval(NamedTuple):
    """The logical date of a run and the stretch of data that it is about."""

    logical_date: int
    start: int
    end: int


class Timetable:
    """When a DAG is due. Due moments are strictly ascending and depend on nothing but the argument.

    A subclass must give `next_after` and `to_spec`; the rest has working, walking defaults.
    """

    __slots__ = ()

    #: False for what no calendar makes due: None, "@once", "@continuous".
    periodic: bool = True

    @property
    def description(self) -> str:
        """One line for people."""
        return type(self).__name__

    def next_after(self, moment: int) -> int | None:
        """The first due moment after `moment` (never `moment` itself); None: never again."""
        raise NotImplementedError

    def latest_until(self, moment: int, after: int) -> int | None:
        """The last due moment in (after, moment], if there is one."""
        latest = None
        for _ in range(LONGEST_WALK):
            due = self.next_after(after if latest is None else latest)
            if due is None or due > moment:
                return latest
            latest = due
        raise TimetableError(_too_long(self, "latest_until"))

    def count_between(self, after: int, until: int) -> int:
        """How many moments are due in (after, until]."""
        for count in range(LONGEST_WALK):
            due = self.next_after(after)
            if due is None or due > until:
                return count
            after = due
        raise TimetableError(_too_long(self, "count_between"))

    def interval_of(self, due: int) -> Interval:
        """The interval of the run that a tick makes: by default the moment itself."""
        return Interval(due, due, due)

    def infer_manual(self, moment: int) -> Interval:
        """The interval of a run that somebody asks for at `moment`."""
        return Interval(moment, moment, moment)

    def to_spec(self) -> dict[str, Any]:
        """JSON from which `timetable_from_spec` makes an equal timetable."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timetable) or type(other) is not type(self):
            return NotImplemented
        return other.to_spec() == self.to_spec()

    def __hash__(self) -> int:
        return hash(self.description)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.description}>"


def _too_long(timetable: Timetable, method: str) -> str:
    return (
        f"{timetable.description}: more than {LONGEST_WALK:,} ticks to walk."
        f" Give {type(timetable).__name__} a `{method}` that does not enumerate them."
    )
