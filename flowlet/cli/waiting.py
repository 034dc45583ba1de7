"""Why a run or a task waits, asked from outside the scheduler: what it says itself, else what is on file."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flowlet.cli import reading

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun
    from flowlet.store import Reader

_ACTIVE = frozenset({"queued", "running"})
OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class Waiting:
    """Sentences about the runs of one database. The owner, if there is one, is asked when it is needed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def of_run(self, run: reading.Run) -> str | None:
        """Why a run that is not over does not go on, or None if its own tasks tell."""
        if run.state not in _ACTIVE:
            return None
        if self.owner is None:
            return f"no scheduler runs on this database (flowlet daemon {self._file_of(run.dag_id)})"
        if self.dag_ids is not None and run.dag_id not in self.dag_ids:
            return (
                f"the scheduler (process {self.owner.get('pid')}) does not have DAG {run.dag_id!r}: start it with"
                f" the file of that DAG, too (flowlet daemon ... {self._file_of(run.dag_id)})"
            )
        return self._why_queued(run) if run.state == "queued" else self._why_paused(run)

    def of_task(self, run: reading.Run, task: reading.Task) -> str:
        """Why a task does not start, or how it stands."""
        if task.state in OVER:
            return self.why(run, task)
        whole = self.of_run(run) if run.state == "queued" or self._is_stranded(run) else None
        if whole is not None:
            return f"the run waits: {whole}"
        return self._ask(run, task) or self.why(run, task)

    def why(self, run: reading.Run, task: reading.Task) -> str:
        """The run rebuilt from its rows, and the rules asked."""
        from flowlet.runs.why import why

        ti = self.rebuilt(run).find(task.task_id, task.map_index)
        return f"{task.key} is {task.state}; the DAG has no such task any more" if ti is None else why(ti)

    def rebuilt(self, run: reading.Run) -> ActiveRun:
        """The run as the scheduler would hold it."""
        from flowlet.runs.hydrate import run_from_rows

        spec = reading.dag(self._reader, run.dag_id).spec
        return run_from_rows(spec, run, reading.tasks(self._reader, run))

    # -- the owner ---------------------------------------------------------------------------------------

    @cached_property
    def owner(self) -> dict[str, Any] | None:
        """Who owns the database."""
        return self._reader.owner()

    @cached_property
    def dag_ids(self) -> frozenset[str] | None:
        """The DAGs that the owner has; None if it does not tell."""
        answer = self._request("ping", {})
        return None if answer is None else frozenset(answer["dags"])

    def _is_stranded(self, run: reading.Run) -> bool:
        return self.owner is None or (self.dag_ids is not None and run.dag_id not in self.dag_ids)

    def _why_queued(self, run: reading.Run) -> str | None:
        """What holds a queued run: the scheduler's own words, which any task of it gives."""
        tasks = reading.tasks(self._reader, run)
        answer = self._ask(run, tasks[0]) if tasks else None
        return None if answer is None else answer.removeprefix("the run waits to begin: ")

    def _why_paused(self, run: reading.Run) -> str | None:
        dag = reading.dag(self._reader, run.dag_id)
        return f"the DAG is paused (flowlet dags unpause {run.dag_id})" if dag.paused else None

    def _ask(self, run: reading.Run, task: reading.Task) -> str | None:
        """What the scheduler that has the run in memory says."""
        asked = {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "task_id": task.task_id,
            "map_index": task.map_index,
        }
        answer = self._request("why", asked)
        return None if answer is None else str(answer)

    def _request(self, verb: str, asked: dict[str, Any]) -> Any:
        """None if there is nobody who answers."""
        control = (self.owner or {}).get("control")
        if control is None:
            return None
        from flowlet.engine.control import request
        from flowlet.errors import FlowletError

        try:
            return request(control, verb, asked, timeout=10)
        except FlowletError:
            return None  # it ends, or has ended what we ask about: what is on file tells

    def _file_of(self, dag_id: str) -> str:
        return reading.dag(self._reader, dag_id).file or "FILE"
