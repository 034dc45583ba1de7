"""One registered DAG as the scheduler holds it."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from flowlet.runs.instances import ActiveRun, is_active
from flowlet.runs.states import FAILED
from flowlet.scheduler.limits import Gate
from flowlet.scheduler.ticks import Schedule

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.authoring.spec import DagSpec


class Entry:
    """A DAG, its schedule's cursor and its active runs."""

    __slots__ = (
        "active", "closing", "cursor", "dag", "failures", "gate", "has_past", "newest_date", "next_due", "operators",
        "past", "paused", "queue", "running", "schedule", "spec", "waits",
    )  # fmt: skip

    def __init__(self, dag: DAG | None, spec: DagSpec) -> None:
        self.dag = dag
        self.spec = spec
        self.operators: list[BaseOperator] = []
        self.schedule = Schedule.of(spec)
        self.cursor: int | None = None
        self.next_due: int | None = None
        self.waits = False
        self.paused = False
        self.gate = Gate(f"the DAG {spec.dag_id!r} is paused")
        self.active: dict[str, ActiveRun] = {}
        self.closing: dict[str, ActiveRun] = {}
        """Runs whose end is decided and not yet on file: who asks for one gets this very run."""
        self.queue: list[tuple[int, int, ActiveRun]] = []
        self.running = 0
        self.newest_date: int | None = None
        self.failures = 0
        """Runs that failed one after the other, up to now."""
        self.has_past = any(task.depends_on_past or task.wait_for_downstream for task in spec.tasks)
        self.past: tuple[int, Mapping[str, str]] | None = None
        """(logical date, task states) of the latest run that has ended."""
        if dag is not None:
            self.operators = [dag.task_dict[task.task_id] for task in spec.tasks]

    @property
    def room(self) -> int:
        """How many more runs max_active_runs lets be active."""
        return max(0, self.spec.max_active_runs - len(self.active))

    def find(self, run_id: str) -> ActiveRun | None:
        """A run that is not over on file, or None."""
        return self.active.get(run_id) or self.closing.get(run_id)

    def known(self) -> list[ActiveRun]:
        """All runs that are not over on file."""
        return [*self.active.values(), *self.closing.values()]

    def enqueue(self, run: ActiveRun) -> None:
        heappush(self.queue, (run.run_after, run.id, run))

    def next_queued(self) -> ActiveRun | None:
        """The queued run that stands first, or None."""
        while self.queue and not is_active(self.queue[0][2]):
            heappop(self.queue)
        return self.queue[0][2] if self.queue else None

    def dequeue(self) -> ActiveRun:
        return heappop(self.queue)[2]

    def previous_of(self, run: ActiveRun, given: tuple[int, Mapping[str, str]] | None) -> ActiveRun | Mapping[str, str] | None:
        """The run before, by logical date: the previous scheduled one with catchup, else of any type
        (Airflow: ti_deps/deps/prev_dagrun_dep.py)."""
        date = run.logical_date
        if date is None:
            return None
        best: tuple[int, ActiveRun | Mapping[str, str]] | None = None
        for other in self.active.values():
            if other is run or other.logical_date is None or other.logical_date >= date:
                continue
            if self.spec.catchup and other.run_type != "scheduled":
                continue
            if best is None or other.logical_date > best[0]:
                best = (other.logical_date, other)
        for candidate in (self.past, given):
            if candidate is not None and candidate[0] < date and (best is None or candidate[0] > best[0]):
                best = candidate
        return None if best is None else best[1]

    def remember(self, run: ActiveRun) -> None:
        """A run has ended."""
        self.failures = self.failures + 1 if run.state == FAILED else 0
        if not self.has_past or run.logical_date is None:
            return
        if self.spec.catchup and run.run_type != "scheduled":
            return
        if self.past is None or self.past[0] < run.logical_date:
            self.past = (run.logical_date, {ti.spec.task_id: ti.state for ti in run.tasks})
