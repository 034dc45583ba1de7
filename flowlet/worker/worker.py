"""The worker: gets workloads, gives outcomes. Knows no other task, no scheduler, no store."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from flowlet.runs import values
from flowlet.worker.attempt import ATTEMPT, Attempt
from flowlet.worker.capture import close_capture, open_capture, repair_streams
from flowlet.worker.known_types import KnownTypes
from flowlet.worker.rendering import plan_rendering

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.clock import Clock
    from flowlet.worker.logs import AttemptLog, Logs
    from flowlet.worker.workload import Outcome, RunFacts, Runs, States, Workload

#: Operators of which is remembered how an attempt of them goes.
_MOST_RECIPES = 4096


class Recipe:
    """How an attempt of one operator goes: what has to be rendered, and whether it is a call and no more."""

    __slots__ = ("is_async", "plain", "plan", "types")

    def __init__(self, task: BaseOperator) -> None:
        self.plan = plan_rendering(task)
        self.types = KnownTypes(task)
        self.is_async = task.is_async
        self.plain = task.is_plain_call and (self.plan is None or self.plan.needs_only_outputs) and not _calls_back(task)


def _calls_back(task: BaseOperator) -> bool:
    return bool(
        task.on_execute_callback
        or task.on_success_callback
        or task.on_failure_callback
        or task.on_retry_callback
        or task.on_skipped_callback
    )


class Worker:
    """Runs attempts. `capture` is "logging" inside somebody's program, "all" in flowlet's own processes.

    `marker` goes into the environment of processes that bodies start, so that leftovers can be found.
    Open when it is made; `close` leaves the process's logging and streams as they were.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        logs: Logs,
        capture: str = "logging",
        xcom_limit: int = values.LIMIT,
        marker: str = "",
        test_mode: bool = False,
        runs: Runs | None = None,
        states: States | None = None,
    ) -> None:
        self.clock = clock
        self.runs = runs
        self.states = states
        self.logs = logs
        self.xcom_limit = xcom_limit
        self.marker = marker
        self.test_mode = test_mode
        self.on_note: Callable[[str, str, Workload], None] | None = None
        """Told (event kind, text, whose) of what a body met that is to stand in `events` at once."""
        self.repairs: Callable[[], None] | None = repair_streams if capture == "all" else None
        self._capture: str | None = capture
        self._recipes: dict[BaseOperator, Recipe] = {}
        open_capture(capture)

    def close(self) -> None:
        """Leave the program's logging and streams as they were."""
        if self._capture is not None:
            close_capture(self._capture)
            self._capture = None

    # -- attempts -------------------------------------------------------------------------------------

    def begin(self, work: Workload) -> Attempt:
        """An attempt, ready to be run: `await attempt.run()` on the loop or `attempt.run_sync()` in a thread."""
        return Attempt(self, work)

    def recipe_of(self, task: BaseOperator) -> Recipe:
        """How an attempt of this operator goes."""
        recipe = self._recipes.get(task)
        if recipe is None:
            if len(self._recipes) >= _MOST_RECIPES:
                self._recipes.clear()
            recipe = self._recipes[task] = Recipe(task)
        return recipe

    # -- logs -----------------------------------------------------------------------------------------

    def log_of(self, attempt: Attempt) -> AttemptLog:
        """The attempt's log; made when it is asked for."""
        log = attempt.log
        if log is None:
            log = attempt.log = self.log_for(attempt.work)
        return log

    def log_for(self, work: Workload) -> AttemptLog:
        """A log of this attempt, to be written."""
        from flowlet.worker.log_paths import LogKey

        run = work.run
        key = LogKey(run.dag_id, run.run_id, work.task.task_id, work.map_index, work.try_number)
        return self.logs.open(key, self.clock)

    def close_log(self, attempt: Attempt) -> None:
        """Write what is open and let go of the file; what went wrong with it becomes a note of the attempt."""
        log = attempt.log
        if log is None:
            return
        log.close()
        if log.trouble is not None:
            attempt.notes = (*attempt.notes, ("log_truncated", log.trouble))
        elif log.cut:
            attempt.notes = (*attempt.notes, ("log_cut", "the log reached its limit and was cut"))

    # -- callbacks ------------------------------------------------------------------------------------

    async def run_callbacks(self, work: Workload, name: str, outcome: Outcome) -> list[str]:
        """A task's `on_<name>_callback`, after the commit. What went wrong with them, in sentences."""
        from flowlet.worker.callbacks import call_all

        attempt, scope = self._called_back(work, name, outcome)
        kind = f"on_{name}_callback"
        problems = await call_all(getattr(work.task, kind), kind, attempt.context, scope)
        if name != "execute":
            self.close_log(attempt)
        return problems

    def run_callbacks_here(self, work: Workload, name: str, outcome: Outcome) -> list[str]:
        """The same, blocking, in a body's own thread."""
        from flowlet.worker.callbacks import call_all_here

        attempt, scope = self._called_back(work, name, outcome)
        kind = f"on_{name}_callback"
        return call_all_here(getattr(work.task, kind), kind, attempt.context, scope)

    def _called_back(self, work: Workload, name: str, outcome: Outcome) -> tuple[Attempt, Context]:
        """Whose log and context it is (the attempt's own; new ones after a crash), and where they run."""
        running = ATTEMPT.get() if name == "execute" else None
        attempt = running or Attempt(self, work, outcome.context)
        if name != "execute":
            attempt.context["exception"] = outcome.exception
            attempt.context["reason"] = outcome.reason
        scope = copy_context()
        scope.run(ATTEMPT.set, attempt)
        return attempt, scope

    async def run_dag_callbacks(
        self, dag: DAG, run: RunFacts | None, name: str, reason: str | None
    ) -> list[str]:
        """A DAG's `on_<name>_callback`, at the end of a run. What went wrong with them, in sentences."""
        from flowlet.worker.callbacks import call_all
        from flowlet.worker.context import run_context

        context: dict[str, Any] = run_context(run).copy() if run is not None else {}
        context.update(dag=dag, reason=reason or name)
        kind = f"on_{name}_callback"
        return await call_all(getattr(dag, kind), kind, context, copy_context())
