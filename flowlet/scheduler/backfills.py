"""What a backfill is: runs for the past dates of a schedule, a few at a time, in order.

Which dates there are and what becomes of a date that has a run already is Airflow's (models/backfill.py;
docs core-concepts/backfill.rst). Plain functions of what they are given; `backfilling.py` decides in turns.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from flowlet.clock import iso
from flowlet.errors import BackfillError
from flowlet.named_tuple import NamedTuple
from flowlet.runs.states import FAILED, QUEUED, RUNNING
from flowlet.scheduler.lanes import Lane
from flowlet.scheduler.ticks import Schedule
from flowlet.timetables import LONG_AGO, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.spec import DagSpec

#: So many dates one backfill has at most.
MOST_DATES = 100_000
REPROCESS = ("none", "failed", "completed")

#: States of a backfill, as they stand on file.
PAUSED, COMPLETED, CANCELLED = "paused", "completed", "cancelled"

IN_FLIGHT = "in flight"
ALREADY_EXISTS = "already exists"
"""Why a date gets no run (Airflow: BackfillDagRunExceptionReason)."""


class Plan(NamedTuple):
    """What was asked for."""

    dag_id: str
    from_date: int
    to_date: int
    run_backwards: bool
    reprocess_behavior: str
    max_active_runs: int
    conf: str | None
    """JSON; None: new runs have none, and those that are run again keep theirs."""


class Date(NamedTuple):
    """One date of a backfill, by the number of its place."""

    ordinal: int
    logical_date: int
    start: int
    end: int
    run_after: int

    @property
    def interval(self) -> Interval:
        """As a timetable gives it."""
        return Interval(self.logical_date, self.start, self.end)


class Backfill:
    """A backfill that is going on."""

    __slots__ = ("asked", "coming", "id", "is_here", "lane", "links", "on_over", "plan", "state", "turned_down")

    def __init__(self, id: int, plan: Plan, dates: list[Date], *, state: str = RUNNING, is_here: bool = True) -> None:  # noqa: A002  the row's name
        self.id = id
        self.plan = plan
        self.state = state
        self.coming = deque(dates)
        """Dates that have not had their turn."""
        self.asked = 0
        """Dates of which the file is being asked."""
        self.turned_down: list[Date] = []
        """Dates whose run the file did not take."""
        self.lane = Lane()
        self.links: dict[int, int] = {}
        """Row of each of its runs to the ordinal of the run's date."""
        self.is_here = is_here
        """False in an engine without schedules that found it on file: it waits for another."""
        self.on_over: list[Any] = []

    @property
    def room(self) -> int:
        """How many more dates may have their turn."""
        return max(0, self.plan.max_active_runs - self.lane.active - self.asked)

    @property
    def is_done(self) -> bool:
        """Every date has had its turn, and its runs are over."""
        return not (self.coming or self.asked or self.turned_down or self.lane.active)

    def __str__(self) -> str:
        plan = self.plan
        return f"backfill {self.id} of DAG {plan.dag_id!r} ({iso(plan.from_date)} to {iso(plan.to_date)})"


def dates_of(plan: Plan, spec: DagSpec, dag: DAG | None, now: int) -> list[Date]:
    """The ticks of the timetable in the window whose data interval is over, in the order in which they come.

    The DAG's own start_date and end_date do not bound them (Airflow: `iter_dagrun_infos_between`). Raises
    BackfillError for what Airflow refuses, TimetableError when only the DAG's own code knows the schedule.
    """
    _check(plan, spec, dag, now)
    found: list[Date] = []
    for due, interval in _ticks(plan, Schedule.of(spec, dag), now):
        if interval.end < now:
            found.append(Date(0, *interval, due))
        if len(found) > MOST_DATES:
            raise BackfillError(f"{_window(plan)} holds more than {MOST_DATES:,} dates of DAG {spec.dag_id!r}: ask for less at once")
    if not found:
        raise BackfillError(f"no date of DAG {spec.dag_id!r} lies in {_window(plan)}: its schedule has none there that is over")
    if plan.run_backwards:
        found.reverse()
    return [date._replace(ordinal=number) for number, date in enumerate(found, start=1)]


def _ticks(plan: Plan, schedule: Schedule, now: int) -> Iterator[tuple[int, Interval]]:
    within = Schedule(schedule.timetable, plan.from_date, plan.to_date, catchup=True)
    within.look(now)
    due = within.next_after(LONG_AGO)
    while due is not None and due <= now:
        yield due, within.interval_of(due)
        due = within.next_after(due)


def _check(plan: Plan, spec: DagSpec, dag: DAG | None, now: int) -> None:
    """What Airflow refuses, in its order (models/backfill.py `_create_backfill`, `_validate_backfill_params`)."""
    if not Schedule.of(spec, dag).timetable.periodic:
        raise BackfillError(f"DAG {spec.dag_id!r} has a schedule without dates to fill: a backfill needs one that is due by time")
    if plan.from_date > plan.to_date:
        raise BackfillError(f"from_date {iso(plan.from_date)} is after to_date {iso(plan.to_date)}")
    if plan.from_date >= now:
        raise BackfillError(f"{_window(plan)} is in the future: a backfill is for dates that are past")
    dependent = [task.task_id for task in spec.tasks if task.depends_on_past or task.wait_for_downstream]
    if dependent and plan.run_backwards:
        raise BackfillError(f"{dependent[0]} of DAG {spec.dag_id!r} depends on its past: run_backwards cannot be")
    if dependent and plan.reprocess_behavior == "none":
        raise BackfillError(
            f"{dependent[0]} of DAG {spec.dag_id!r} depends on its past, which may have failed:"
            " give reprocess_behavior 'failed' or 'completed'"
        )


def _window(plan: Plan) -> str:
    return f"the window from {iso(plan.from_date)} to {iso(plan.to_date)}"


def reason_against(state: str | None, reprocess_behavior: str) -> str | None:
    """Why a date gets no run of this backfill, when its run (None: it has none) stands so; None: it gets one."""
    if state is None:
        return None
    if state in (QUEUED, RUNNING):
        return IN_FLIGHT
    is_wanted = reprocess_behavior == "completed" or (reprocess_behavior == "failed" and state == FAILED)
    return None if is_wanted else ALREADY_EXISTS


def judged(dates: Iterable[Date], runs: Mapping[int, tuple[str, str]], reprocess_behavior: str) -> Iterator[tuple[Date, str | None, str | None]]:
    """Each date with the id of the run that it has, and the reason why it gets no other; `runs` by date."""
    for date in dates:
        run_id, state = runs.get(date.logical_date, (None, None))
        yield date, run_id, reason_against(state, reprocess_behavior)
