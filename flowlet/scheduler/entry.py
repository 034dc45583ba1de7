"""One registered DAG as the scheduler holds it."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from flowlet.clock import SECOND
from flowlet.runs.instances import ActiveRun
from flowlet.runs.states import FAILED, QUEUED
from flowlet.scheduler.limits import Gate
from flowlet.scheduler.past import Past
from flowlet.scheduler.ticks import Schedule

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.authoring.spec import DagSpec


class Entry:
    """A DAG, its schedule's cursor and its active runs."""

    __slots__ = (
        "_number", "active", "begun", "closing", "cursor", "dag", "dates", "failures", "gate", "has_past", "last_now", "newest_date", "next_due", "operators",
        "past", "paused", "queue", "schedule", "spec", "waits",
    )  # fmt: skip

    def __init__(self, dag: DAG | None, spec: DagSpec) -> None:
        self.past = Past()
        self.describe(dag, spec)
        self.cursor: int | None = None
        self.next_due: int | None = None
        self.waits = False
        self._number = count()
        self.paused = False
        self.gate = Gate(f"the DAG {spec.dag_id!r} is paused")
        self.active: dict[str, ActiveRun] = {}
        self.closing: dict[str, ActiveRun] = {}
        """Runs whose end is decided and not yet on file: who asks for one gets this very run."""
        self.queue: list[tuple[int, int, int, ActiveRun]] = []
        self.begun: set[str] = set()
        """Ids of the active runs that do not wait in the queue any more."""
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

    @property
    def room(self) -> int:
        """How many more runs max_active_runs lets be active."""
        return max(0, self.spec.max_active_runs - len(self.active))

    @property
    def running(self) -> int:
        """How many runs count for max_active_runs."""
        return len(self.begun)

    def take(self, run: ActiveRun) -> None:
        """The run is active: queued, or begun."""
        self.active[run.run_id] = run
        if run.logical_date is not None:
            self.dates.add(run.logical_date)
        if run.state == QUEUED:
            self.begun.discard(run.run_id)
            self.enqueue(run)
        else:
            self.begun.add(run.run_id)

    def let_go(self, run: ActiveRun) -> None:
        """The run is not active any more."""
        self.active.pop(run.run_id, None)
        self.begun.discard(run.run_id)
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

    def enqueue(self, run: ActiveRun) -> None:
        heappush(self.queue, (run.run_after, run.id, next(self._number), run))

    def next_queued(self) -> ActiveRun | None:
        """The queued run that stands first, or None."""
        while self.queue and self.queue[0][-1].state != QUEUED:
            heappop(self.queue)
        return self.queue[0][-1] if self.queue else None

    def dequeue(self) -> ActiveRun:
        """The queued run that stands first begins."""
        run = heappop(self.queue)[-1]
        self.begun.add(run.run_id)
        return run

    def remember(self, run: ActiveRun) -> None:
        """A run has ended."""
        self.failures = self.failures + 1 if run.state == FAILED else 0
        if self.has_past:
            self.past.remember(run)
        else:
            self.past.forget()
