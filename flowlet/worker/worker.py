"""The worker: gets workloads, gives outcomes. Knows no other task, no scheduler, no store."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from flowlet.runs import values
from flowlet.worker.attempt import ATTEMPT, Attempt
from flowlet.worker.capture import close_capture, open_capture, repair_streams
from flowlet.worker.rendering import Plan, plan_rendering

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator
    from flowlet.clock import Clock
    from flowlet.worker.logs import AttemptLog, Logs
    from flowlet.worker.workload import Outcome, RunFacts, Workload

#: Operators whose plan of rendering is remembered.
_MOST_PLANS = 4096


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
    ) -> None:
        self.clock = clock
        self.logs = logs
        self.xcom_limit = xcom_limit
        self.marker = marker
        self.test_mode = test_mode
        self.repairs: Callable[[], None] | None = repair_streams if capture == "all" else None
        self._capture: str | None = capture
        self._plans: dict[BaseOperator, Plan | None] = {}
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

    def plan_of(self, task: BaseOperator) -> Plan | None:
        """What of the operator has to be rendered for each attempt; None if nothing."""
        try:
            return self._plans[task]
        except KeyError:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[task] = plan_rendering(task)
            return plan

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
            attempt.notes.append(("log_truncated", log.trouble))
        elif log.cut:
            attempt.notes.append(("log_cut", "the log reached its limit and was cut"))

    # -- callbacks ------------------------------------------------------------------------------------

    async def run_callbacks(self, work: Workload, name: str, outcome: Outcome) -> list[str]:
        """A task's `on_<name>_callback`, after the commit. What went wrong with them, in sentences."""
        from flowlet.worker.callbacks import call_all

        attempt, context, scope = self._called_back(work, name, outcome)
        kind = f"on_{name}_callback"
        problems = await call_all(getattr(work.task, kind), kind, context, scope)
        if name != "execute":
            self.close_log(attempt)
        return problems

    def run_callbacks_here(self, work: Workload, name: str, outcome: Outcome) -> list[str]:
        """The same, blocking, in a body's own thread."""
        from flowlet.worker.callbacks import call_all_here

        _, context, scope = self._called_back(work, name, outcome)
        kind = f"on_{name}_callback"
        return call_all_here(getattr(work.task, kind), kind, context, scope)

    def _called_back(
        self, work: Workload, name: str, outcome: Outcome
    ) -> tuple[Attempt, dict[str, Any], Context]:
        """Whose log it is, the attempt's own context (or a new one, after a crash), and where they run."""
        running = ATTEMPT.get() if name == "execute" else None
        attempt = running or Attempt(self, work)
        context = outcome.context if outcome.context is not None else self._context_for(work)
        if name != "execute":
            context["exception"] = outcome.exception
            context["reason"] = outcome.reason
        scope = copy_context()
        scope.run(_enter, attempt, context)
        return attempt, context, scope

    def _context_for(self, work: Workload) -> dict[str, Any]:
        from flowlet.worker.context import attempt_context
        from flowlet.worker.task_instance import RuntimeTaskInstance

        return attempt_context(work, RuntimeTaskInstance(self, work, work.task), test_mode=self.test_mode)

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


def _enter(attempt: Attempt, context: dict[str, Any]) -> None:
    from flowlet.authoring.context import CURRENT

    ATTEMPT.set(attempt)
    CURRENT.set(context)
