"""`ti`: what a body sees of its own attempt, and its door to XComs (Airflow: `RuntimeTaskInstance`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import RETURN_KEY
from flowlet.errors import XComError
from flowlet.runs import values

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.logs import TaskLogger
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Workload


class RuntimeTaskInstance:
    """The running attempt as its body sees it.

    What is pushed here is on file with the attempt's outcome; until then only this attempt can pull it.
    """

    __slots__ = ("_log", "_pushed", "_skips", "_work", "_worker", "task")

    def __init__(self, worker: Worker, work: Workload, task: BaseOperator) -> None:
        self._worker = worker
        self._work = work
        self._pushed: dict[str, str] = {}
        self._skips: list[str] = []
        self._log: TaskLogger | None = None
        self.task = task
        """The operator of this attempt: a copy with its template fields rendered."""

    # -- who and when ---------------------------------------------------------------------------------

    @property
    def dag_id(self) -> str:
        return self._work.run.dag_id

    @property
    def task_id(self) -> str:
        return self.task.task_id

    @property
    def run_id(self) -> str:
        return self._work.run.run_id

    @property
    def map_index(self) -> int:
        return self._work.map_index

    @property
    def try_number(self) -> int:
        """From 1."""
        return self._work.try_number

    @property
    def max_tries(self) -> int:
        """Airflow's: the number of retries."""
        return self._work.max_tries

    @property
    def state(self) -> str:
        return "running"

    @property
    def is_mapped(self) -> bool:
        return self._work.map_index >= 0

    @property
    def operator(self) -> str:
        """The name of the operator's class."""
        return type(self.task).__name__

    @property
    def pool(self) -> str:
        return self.task.pool

    @property
    def start_date(self) -> datetime:
        """When this try started."""
        from flowlet.clock import from_micros

        return from_micros(self._work.started_at)

    @property
    def logical_date(self) -> datetime | None:
        from flowlet.clock import from_micros

        logical_date = self._work.run.logical_date
        return None if logical_date is None else from_micros(logical_date)

    @property
    def dag_run(self) -> Any:
        """The context's `dag_run`."""
        from flowlet.worker.context import run_context

        return run_context(self._work.run)["dag_run"]

    @property
    def hostname(self) -> str:
        from os import uname

        return uname().nodename

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """(dag_id, task_id, run_id, try_number, map_index), as Airflow's TaskInstanceKey."""
        return self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index

    @property
    def log(self) -> TaskLogger:
        """A logger whose records of INFO and up always are in the attempt's log."""
        if self._log is None:
            from flowlet.worker.logs import TaskLogger

            self._log = TaskLogger(self._worker.attempt_log(self._work))
        return self._log

    def get_template_context(self) -> dict[str, Any]:
        """The context of the running attempt."""
        from flowlet.authoring.context import get_current_context

        return get_current_context()

    def subprocess_env(self) -> dict[str, str]:
        """What a process that this attempt starts finds in its environment: AIRFLOW_CTX_* and a marker.

        The marker tells leftovers of an engine that was killed (`flowlet.executors.leftovers`).
        """
        from flowlet.worker.environment import subprocess_env

        return subprocess_env(self, self._worker.marker)

    # -- XComs ----------------------------------------------------------------------------------------

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value under a key. XComError at once if it cannot be kept."""
        if type(key) is not str or not key:
            raise XComError(f"the key of an XCom must be a non-empty str, not {key!r}")
        self._pushed[key] = self._worker.encode(value, self._work, key)

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        key: str = RETURN_KEY,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_indexes: int | Iterable[int] | None = None,
        default: Any = None,
        include_prior_dates: bool = False,  # noqa: ARG002  Airflow's signature
    ) -> Any:
        """The value that a task pushed; of several tasks or map indexes a list, in the order asked for.

        Without `task_ids` it is the task's own. Of a mapped task without `map_indexes` all values, as a list;
        the value alone where there is only one. `default` stands for what was not pushed (Airflow:
        sdk/execution_time/task_runner.py `xcom_pull`). Values of earlier runs (`include_prior_dates`) are
        not looked for.
        """
        if type(task_ids) is str and map_indexes is None:
            return self._pull(task_ids, key, dag_id, run_id, default)
        return self._pull_many(task_ids, key, dag_id, run_id, map_indexes, default)

    def _pull(self, task_id: str, key: str, dag_id: str | None, run_id: str | None, default: Any) -> Any:
        work = self._work
        run = work.run
        if task_id == work.task.task_id and run_id in (None, run.run_id) and dag_id in (None, run.dag_id):
            return self._pull_own(key, default)
        dag_id, run_id = dag_id or run.dag_id, run_id or run.run_id
        text = work.xcoms.get(dag_id, run_id, task_id, -1, key)
        if text is not None:
            return values.decode(text, self._worker.types_of(work))
        mapped = work.xcoms.get_mapped(dag_id, run_id, task_id, key)
        if not mapped:
            return default
        found = [values.decode(text, self._worker.types_of(work)) for _, text in mapped]
        return found[0] if len(found) == 1 else found

    def _pull_own(self, key: str, default: Any) -> Any:
        """What this attempt pushed so far: what an earlier try pushed is gone when the next one starts."""
        text = self._pushed.get(key)
        return default if text is None else values.decode(text, self._worker.types_of(self._work))

    def _pull_many(
        self,
        task_ids: str | Iterable[str] | None,
        key: str,
        dag_id: str | None,
        run_id: str | None,
        map_indexes: int | Iterable[int] | None,
        default: Any,
    ) -> Any:
        single = task_ids is None or isinstance(task_ids, str)
        ids: list[str] = [task_ids or self.task_id] if task_ids is None or isinstance(task_ids, str) else list(task_ids)
        if map_indexes is None:
            if task_ids is None:
                return self._pull_own(key, default)
            found: list[Any] = []
            for task_id in ids:
                value = self._pull(task_id, key, dag_id, run_id, default)
                found.append(value)
            return found[0] if single else found
        one_index = isinstance(map_indexes, int)
        indexes: list[int] = [map_indexes] if one_index else list(map_indexes)  # type: ignore[arg-type, list-item]  # as `one_index` says
        pulled = [self._pull_index(t, i, key, dag_id, run_id, default) for t in ids for i in indexes]
        return pulled[0] if single and one_index else pulled

    def _pull_index(
        self, task_id: str, index: int, key: str, dag_id: str | None, run_id: str | None, default: Any
    ) -> Any:
        run = self._work.run
        text = self._work.xcoms.get(dag_id or run.dag_id, run_id or run.run_id, task_id, index, key)
        return default if text is None else values.decode(text, self._worker.types_of(self._work))

    # -- wishes ---------------------------------------------------------------------------------------

    def skip(self, task_ids: Iterable[str]) -> None:
        """Wish that these downstream tasks be skipped if this attempt succeeds (branches, short circuits)."""
        self._skips.extend(task_ids)

    def __repr__(self) -> str:
        index = f"[{self.map_index}]" if self.is_mapped else ""
        return f"<TaskInstance: {self.dag_id}.{self.task_id}{index} {self.run_id} try {self.try_number}>"


def as_mapping(result: Any) -> Mapping[Any, Any]:
    """What a task with `multiple_outputs` returned, checked: a mapping with str keys."""
    if not isinstance(result, Mapping):
        raise XComError(f"a task with multiple_outputs must return a dict, not {type(result).__name__}")
    for key in result:
        if not isinstance(key, str):
            raise XComError(f"a task with multiple_outputs must return a dict with str keys, not {key!r}")
    return result
