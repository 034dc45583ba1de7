"""Who of a DAG's runs waits for whom: those that count for one limit, and the queue before it.

The runs of a DAG share its max_active_runs, those of a backfill have the backfill's own
(Airflow: jobs/scheduler_job_runner.py `_start_queued_dagruns` counts by DAG and backfill).
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from flowlet.runs.states import QUEUED

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun


class Lane:
    """Active runs of one limit: begun, or queued in the order in which they may begin."""

    __slots__ = ("_number", "begun", "queue", "waiting")

    def __init__(self) -> None:
        self.queue: list[tuple[int, int, int, ActiveRun]] = []
        self.begun: set[str] = set()
        """Ids of the active runs that do not wait in the queue any more."""
        self.waiting: set[str] = set()
        """Ids of those that do."""
        self._number = count()

    @property
    def active(self) -> int:
        """How many runs of it are active."""
        return len(self.begun) + len(self.waiting)

    def take(self, run: ActiveRun) -> None:
        """The run is active: queued, or begun."""
        if run.state == QUEUED:
            self.begun.discard(run.run_id)
            self.waiting.add(run.run_id)
            heappush(self.queue, (run.run_after, run.id, next(self._number), run))
        else:
            self.waiting.discard(run.run_id)
            self.begun.add(run.run_id)

    def let_go(self, run: ActiveRun) -> None:
        """The run is not active any more, or counts elsewhere."""
        self.begun.discard(run.run_id)
        self.waiting.discard(run.run_id)

    def next_queued(self) -> ActiveRun | None:
        """The queued run that stands first, or None."""
        while self.queue and not self._still_waits(self.queue[0][-1]):
            heappop(self.queue)
        return self.queue[0][-1] if self.queue else None

    def _still_waits(self, run: ActiveRun) -> bool:
        return run.run_id in self.waiting and run.state == QUEUED

    def dequeue(self) -> ActiveRun:
        """The queued run that stands first begins."""
        run = heappop(self.queue)[-1]
        self.waiting.discard(run.run_id)
        self.begun.add(run.run_id)
        return run
