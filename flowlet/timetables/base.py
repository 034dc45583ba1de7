"""What every timetable answers. Moments are microseconds UTC (see `flowlet.clock`).

A timetable has two faces. flowlet asks in moments (`next_after`, `interval_of`, ...). What users write for
Airflow answers in datetimes (`next_dagrun_info`, `infer_manual_data_interval`): a class that changes one of
these is asked through them alone, see `asked.py`; ours answer them, too, for classes that build on ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from flowlet.errors import TimetableError
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.timetables.info import DagRunInfo, DataInterval, TimeRestriction
    from flowlet.timetables.window import Ticks

#: How many ticks the generic `latest_until` and `count_between` walk before they give up.
LONGEST_WALK = 1_000_000


class Interval(NamedTuple):
    """The logical date of a run and the stretch of data that it is about."""

    logical_date: int
    start: int
    end: int


class Told:
    """A text that is made when it is asked for; a subclass or an instance may put a plain one in its place."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[Any], str]) -> None:
        self._tell = tell

    def __get__(self, timetable: Timetable | None, _: type | None = None) -> str:
        return "" if timetable is None else self._tell(timetable)


class Timetable:
    """When a DAG is due. Due moments are strictly ascending and depend on nothing but the argument.

    A subclass gives `next_after`, or Airflow's two methods; the rest has working, walking defaults.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        description: str
    else:
        #: One line for people.
        description = Told(lambda timetable: timetable.summary)
    #: False for what no calendar makes due: None, "@once", "@continuous".
    periodic: bool = True
    #: False for what makes no run by itself (Airflow's name).
    can_be_scheduled: bool = True
    #: The DAG's max_active_runs, if the timetable has a say in it (Airflow's name).
    active_runs_limit: int | None = None
    #: How Airflow's pages order the runs.
    run_ordering: Sequence[str] = ("data_interval_end", "logical_date")
    #: Without catchup: whether a DAG that is seen for the first time runs the latest tick before.
    owes_the_latest: bool = True
    #: Counted from the last tick, whenever that was, where the DAG has no start_date.
    floats: bool = False
    #: Never due with catchup and without a start_date (as Airflow has it for data intervals).
    catches_up_from_start_only: bool = False

    #: Whether its runs are about a partition (Airflow's name), and whether their tasks say which.
    partitioned: bool = False
    partitioned_at_runtime: bool = False

    # -- flowlet's face -------------------------------------------------------------------------------

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

    def partition_of(self, due: int) -> tuple[str, datetime] | None:  # noqa: ARG002  for those that have partitions
        """Key and moment of the partition that the run of a tick is about, if it is about one."""
        return None

    def infer_manual(self, moment: int) -> Interval:
        """The interval of a run that somebody asks for at `moment`."""
        return Interval(moment, moment, moment)

    def to_spec(self) -> dict[str, Any]:
        """JSON from which `timetable_from_spec` makes an equal timetable."""
        raise NotImplementedError

    # -- within a DAG ---------------------------------------------------------------------------------

    def ticks(self, start: int | None, end: int | None, *, catchup: bool) -> Ticks:
        """The ticks of a DAG with these dates."""
        from flowlet.timetables.window import Ticks

        return Ticks(self, start, end, catchup=catchup)

    def anchored(self, start: int) -> Timetable:  # noqa: ARG002  for those that count from somewhere
        """The same for a DAG with this start_date, or (`floats`) with its last tick there."""
        return self

    def first_due(self, start: int) -> int:
        """No tick of a DAG with this start_date is due before."""
        return start

    def last_due(self, end: int) -> int:
        """No tick of a DAG with this end_date is due after."""
        return end

    def first_cursor(self, now: int) -> int:
        """A DAG without start_date is seen for the first time: what is due after this moment is its."""
        return now - 1

    # -- Airflow's face -------------------------------------------------------------------------------

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run after the last one that the schedule made (Airflow: timetables/base.py)."""
        from flowlet.timetables.info import next_info

        return next_info(self, last_automated_data_interval, restriction)

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        """The interval of a run that is triggered by hand."""
        from flowlet.timetables.info import manual_interval

        return manual_interval(self, run_after)

    def serialize(self) -> dict[str, Any]:
        """What tells this timetable from another of its class, as JSON; for ours, the spec."""
        try:
            return self.to_spec()
        except NotImplementedError:
            return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:  # noqa: ARG003  the interface
        """Airflow makes a user's timetable anew from what `serialize` gave; flowlet keeps the one it has."""
        return cls()

    def validate(self) -> None:
        """Called when the DAG is built; raises if the timetable is not right."""

    @property
    def summary(self) -> str:
        """A word for tables."""
        return type(self).__name__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timetable) or type(other) is not type(self):
            return NotImplemented
        return self is other or other.to_spec() == self.to_spec()

    def __hash__(self) -> int:
        return hash((type(self), self.description))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.description}>"


def _too_long(timetable: Timetable, method: str) -> str:
    return (
        f"{timetable.description}: more than {LONGEST_WALK:,} ticks to walk."
        f" Give {type(timetable).__name__} a `{method}` that does not enumerate them."
    )
