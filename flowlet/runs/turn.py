"""What one turn of the scheduler decided, before and after it is on file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowlet.runs.moves import AddEvent, Moves

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance


def _nobody_reserves(count: int) -> int:
    raise NotImplementedError(f"nobody gives ids to {count} new task instances")


class Turn:
    """Collects moves to commit, and what is to be done once they are committed."""

    __slots__ = (
        "begun", "callbacks", "defer", "drop", "joined", "judged", "look_up", "moves", "now", "over", "poke", "ready", "reopened", "replies", "reserve", "runs",
        "start", "stop", "touched", "wake",
    )  # fmt: skip

    def __init__(self, now: int, reserve: Callable[[int], int] | None = None) -> None:
        self.now = now
        self.reserve = reserve or _nobody_reserves
        """So many ids of new task instances: gives the first."""
        self.moves = Moves()
        self.runs: list[ActiveRun] = []
        """New runs, whose rows enter with this turn."""
        self.joined: list[TaskInstance] = []
        """New instances in runs that had begun before: their rows enter with this turn too."""
        self.ready: list[TaskInstance] = []
        """Released by their trigger rules, not yet started."""
        self.touched: list[TaskInstance] = []
        """Their state changed."""
        self.wake: list[TaskInstance] = []
        """Must be looked at again at their `wake_at`."""
        self.start: list[TaskInstance] = []
        """Start after the commit."""
        self.poke: list[TaskInstance] = []
        """Sensors between two pokes: go on, nothing to write."""
        self.defer: list[TaskInstance] = []
        """Their triggers are to run after the commit."""
        self.drop: list[Any] = []
        """Deferrals for which nobody waits any more."""
        self.stop: list[Any] = []
        """Workloads to cancel after the commit."""
        self.reopened: list[ActiveRun] = []
        """Runs that had ended and are queued again."""
        self.begun: list[ActiveRun] = []
        """Runs that began after they had been queued for a while."""
        self.judged: list[ActiveRun] = []
        """Runs that had ended and are in another state now."""
        self.over: list[ActiveRun] = []
        """Runs that ended."""
        self.look_up: list[Any] = []
        """What the file is to be asked before the next turn, as requests that wait for the answer."""
        self.callbacks: list[tuple[Any, str, Any]] = []
        """(workload, or the run, "success" | "failure" | "retry" | "skipped", outcome)."""
        self.replies: list[tuple[Any, Any]] = []
        """(request, answer or exception) for those who asked."""

    def event(self, kind: str, text: str, *, run: ActiveRun | None = None, ti: TaskInstance | None = None, dag_id: str | None = None) -> None:
        """Record something that somebody will ask about."""
        run = ti.run if ti is not None else run
        self.moves.add_event.append(
            AddEvent(
                self.now,
                kind,
                run.dag_id if run is not None else dag_id,
                run.run_id if run is not None else None,
                ti.spec.task_id if ti is not None else None,
                ti.map_index if ti is not None else None,
                ti.try_number if ti is not None else None,
                text,
            )
        )
