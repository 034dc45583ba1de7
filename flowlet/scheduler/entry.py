"""One registered DAG as the scheduler holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.clock import SECOND
from flowlet.errors import FlowletError
from flowlet.runs.instances import ActiveRun
from flowlet.runs.states import FAILED
from flowlet.scheduler.lanes import Lane
from flowlet.scheduler.limits import Gate
from flowlet.scheduler.past import Past
from flowlet.scheduler.ticks import Schedule

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.authoring.spec import DagSpec
    from flowlet.scheduler.backfills import Backfill


class Entry:
    """A DAG, its schedule's cursor and its active runs."""

    __slots__ = (
        "active", "backfill", "closing", "cursor", "dag", "dates", "failures", "gate", "has_past", "lane", "last_now", "newest_date", "next_due",
        "operators", "past", "paused", "schedule", "spec", "waits",
    )  # fmt: skip

    def __init__(self, dag: DAG | None, spec: DagSpec) -> None:
        self.past = Past()
        self.describe(dag, spec)
        self.cursor: int | None = None
        self.next_due: int | None = None
        self.waits = False
        self.paused = False
        self.gate = Gate(f"the DAG {spec.dag_id!r} is paused")
        self.active: dict[str, ActiveRun] = {}
        self.closing: dict[str, ActiveRun] = {}
        """Runs whose end is decided and not yet on file: who asks for one gets this very run."""
        self.lane = Lane()
        """The active runs that count for max_active_runs."""
        self.backfill: Backfill | None = None
        """The one that is going on; its runs count for it alone."""
        self.dates: set[int] = set()
        """Logical dates of the active runs."""
        self.newest_date: int | None = None
        self.last_now = 0
        """The latest date given to a run without one of its own, while others have dates in the future."""
        self.failures = 0
        """Runs that failed one after the other, up to now."""

    def describe(self, dag: DAG | None, spec: DagSpec) -> None:
        """What the DAG is, as of now. Its schedule is to be planned anew."""
        self.dag = dag
        self.spec = spec
        self.operators: list[BaseOperator] = []
        if dag is not None:
            self.operators = [dag.task_dict[task.task_id] for task in spec.tasks]
        self.schedule = Schedule.of(spec, dag)
        self.has_past = any(task.depends_on_past or task.wait_for_downstream for task in spec.tasks)
        self.past.only_scheduled = spec.catchup

    def check_type(self, run_type: str) -> None:
        """Refuse a run of a type that the DAG does not allow (Airflow: api/common/trigger_dag.py)."""
        allowed = self.spec.allowed_run_types
        if allowed is not None and run_type not in allowed:
            raise FlowletError(
                f"DAG {self.spec.dag_id!r} allows no {run_type} runs: its allowed_run_types are {', '.join(allowed) or 'none'}"
            )

    @property
    def room(self) -> int:
        """How many more runs max_active_runs lets be active."""
        return max(0, self.spec.max_active_runs - self.lane.active)

    @property
    def lanes(self) -> list[Lane]:
        """All that runs may wait in."""
        return [self.lane] if self.backfill is None else [self.lane, self.backfill.lane]

    def lane_of(self, run: ActiveRun) -> Lane:
        """Where the run counts: a backfill that is over has none of its own any more."""
        backfill = self.backfill
        return self.lane if backfill is None or run.backfill != backfill.id else backfill.lane

    def take(self, run: ActiveRun) -> None:
        """The run is active: queued, or begun."""
        self.active[run.run_id] = run
        if run.logical_date is not None:
            self.dates.add(run.logical_date)
        self.lane_of(run).take(run)

    def let_go(self, run: ActiveRun) -> None:
        """The run is not active any more."""
        self.active.pop(run.run_id, None)
        self.lane_of(run).let_go(run)
        if run.logical_date is not None:
            self.dates.discard(run.logical_date)

    def free_date(self, now: int) -> int:
        """Now, or the next microsecond that no run has."""
        newest = self.newest_date or 0
        if newest <= now + SECOND:
            return max(now, newest + 1)
        date = max(now, self.last_now + 1 if self.last_now <= now + SECOND else 0)
        while date in self.dates:
            date += 1
        self.last_now = date
        return date

    def find(self, run_id: str) -> ActiveRun | None:
        """A run that is not over on file, or None."""
        return self.active.get(run_id) or self.closing.get(run_id)

    def known(self) -> list[ActiveRun]:
        """All runs that are not over on file."""
        return [*self.active.values(), *self.closing.values()]

    def remember(self, run: ActiveRun) -> None:
        """A run has ended."""
        self.failures = self.failures + 1 if run.state == FAILED else 0
        if self.has_past:
            self.past.remember(run)
        else:
            self.past.forget()
