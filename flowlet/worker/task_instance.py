"""`ti`: what a body sees of its own attempt, and its door to XComs (Airflow: `RuntimeTaskInstance`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from flowlet.authoring import spellings
from flowlet.authoring.context import RETURN_KEY
from flowlet.errors import FlowletError, XComError, XComTypeError
from flowlet.named_tuple import NamedTuple
from flowlet.runs import values
from flowlet.runs.states import TaskState
from flowlet.worker.looking import Looks

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.capture import TaskLogger
    from flowlet.worker.known_types import KnownTypes
    from flowlet.worker.logs import AttemptLog
    from flowlet.worker.worker import Worker
    from flowlet.worker.workload import Runs, Workload


class TaskInstanceKey(NamedTuple):
    """Whose attempt (Airflow's name)."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int = 1
    map_index: int = -1


class RuntimeTaskInstance(Looks):
    """The running attempt as its body sees it.

    What is pushed here is on file with the attempt's outcome; until then only this attempt can pull it.
    """

    _log: TaskLogger | None = None
    _skips: tuple[str, ...] = ()

    def __init__(self, worker: Worker, work: Workload, task: BaseOperator, types: KnownTypes) -> None:
        self._worker = worker
        self._types = types
        self._work = work
        self._pushed: dict[str, str] = {}
        self.task = task
        """The operator of this attempt: a copy with its template fields rendered."""

    def note(self, kind: str, text: str) -> None:
        """Warn in the log, and say so in `events` at once: what holds this attempt up is not its own doing."""
        self.log.warning("%s", text)
        if self._worker.on_note is not None:
            self._worker.on_note(kind, text, self._work)

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
    def state(self) -> TaskState:
        return TaskState.RUNNING

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
        return spellings.moment(self._work.started_at)

    @property
    def runs(self) -> Runs:
        """The runs beside this one; FlowletError where the executor has no way to the engine."""
        runs = self._worker.runs
        if runs is None:
            raise FlowletError("this executor has no way to the engine: other runs cannot be made or seen from here")
        return runs

    async def trigger_run(
        self, dag_id: str, *, conf: Mapping[str, Any] | None = None, run_id: str | None = None, **date: Any
    ) -> str:
        """Make a run of another DAG, now or for `logical_date=`; gives its run_id. RunExists, DagNotFound."""
        return await self.runs.trigger(self._work.run, dag_id, conf=conf, run_id=run_id, **date)

    async def reset_run(self, dag_id: str, *, run_id: str | None = None, **date: Any) -> str:
        """Clear a run of another DAG that exists, so that it runs again; gives its run_id. RunNotFound."""
        return await self.runs.reset(self._work.run, dag_id, run_id=run_id, **date)

    def now(self) -> datetime:
        """This moment by the engine's clock."""
        return spellings.moment(self._worker.clock.now())

    @property
    def logical_date(self) -> datetime | None:
        logical_date = self._work.run.logical_date
        return None if logical_date is None else spellings.moment(logical_date)

    @property
    def execution_date(self) -> datetime | None:
        """Airflow 2's name of the logical date."""
        return self.logical_date

    @property
    def dag_run(self) -> Any:
        """The context's `dag_run`."""
        from flowlet.worker.context import run_context

        return run_context(self._work.run, self._work.xcoms)["dag_run"]

    @property
    def end_date(self) -> None:
        """It has not ended."""
        return

    @property
    def queue(self) -> str | None:
        return self.task.queue

    def get_dagrun(self) -> Any:
        """The context's `dag_run` (Airflow 2)."""
        return self.dag_run

    def current_state(self) -> str:
        """As `state` (Airflow 2)."""
        return self.state

    @property
    def log_url(self) -> str:
        """Where a page about this attempt would be: below FLOWLET__API__BASE_URL."""
        from urllib.parse import quote

        from flowlet import settings

        base = settings.get("api", "base_url", "http://localhost:8080").rstrip("/")
        index = f"/mapped/{self.map_index}" if self.is_mapped else ""
        run_id = quote(self.run_id, safe="")
        return f"{base}/dags/{self.dag_id}/runs/{run_id}/tasks/{self.task_id}{index}?try_number={self.try_number}"

    @property
    def duration(self) -> float:
        """Seconds since this try started."""
        return (self._worker.clock.now() - self._work.started_at) / 1_000_000

    @property
    def hostname(self) -> str:
        from os import uname

        return uname().nodename

    @property
    def key(self) -> TaskInstanceKey:
        """Whose attempt this is."""
        return TaskInstanceKey(self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    @property
    def log(self) -> TaskLogger:
        """A logger whose records of INFO and up always are in the attempt's log."""
        if self._log is None:
            from flowlet.worker.capture import TaskLogger

            self._log = TaskLogger(self._find_log)
        return self._log

    def _find_log(self) -> AttemptLog:
        """The log of the attempt that runs; after its end, or in a callback, the same file again."""
        from flowlet.worker.attempt import ATTEMPT

        attempt = ATTEMPT.get()
        return self._worker.log_for(self._work) if attempt is None else self._worker.log_of(attempt)

    def get_template_context(self) -> dict[str, Any]:
        """The context of the running attempt."""
        from flowlet.authoring.context import get_current_context

        return get_current_context()

    def render(self, value: Any, context: dict[str, Any] | None = None) -> Any:
        """A value with the templates and XComArgs in it filled in, as those of the operator's fields are."""
        from flowlet.worker.rendering import Renderer
        from flowlet.worker.templates import templates_of

        task = self.task
        templates = templates_of(task, self._work.dag)
        filled = self.get_template_context() if context is None else context
        return Renderer(filled, templates, tuple(task.template_ext)).render(value)

    def render_templates(self, context: dict[str, Any] | None = None) -> BaseOperator:
        """Render what a body has set in the operator's fields since it began; its arguments are rendered already."""
        for field in self.task.template_fields:
            if field not in ("op_args", "op_kwargs"):
                setattr(self.task, field, self.render(getattr(self.task, field, None), context))
        return self.task

    def subprocess_env(self) -> dict[str, str]:
        """What a process that this attempt starts finds in its environment: AIRFLOW_CTX_* and a marker.

        The marker tells leftovers of an engine that was killed (`flowlet.executors.leftovers`).
        """
        from flowlet.worker.environment import subprocess_env

        return subprocess_env(self, self._worker.marker)

    # -- XComs ----------------------------------------------------------------------------------------

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value under a key. XComError at once if it cannot be kept."""
        if type(key) is not str or not key or not (key.isascii() or values.is_text(key)):
            raise XComError(f"the key of an XCom must be a non-empty str of whole characters, not {key!r}")
        try:
            self._pushed[key] = values.encode(value, limit=self._worker.xcom_limit, types=self._types)
        except XComError as problem:
            raise XComError(f"XCom {key!r} of task {self.task_id!r}: {problem}") from problem.__cause__

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = RETURN_KEY,
        include_prior_dates: bool = False,
        *,
        map_indexes: int | Iterable[int] | None = None,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """The value that a task pushed; of several tasks or map indexes a list, in the order asked for.

        Without `task_ids` it is the task's own. Of a mapped task without `map_indexes` all values, as a list;
        the value alone where there is only one. `default` stands for what was not pushed, None in a list
        of several tasks (Airflow: sdk/execution_time/task_runner.py `xcom_pull`). With `include_prior_dates` the
        newest value of the runs with earlier logical dates stands for what this run has not (Airflow 3 gives all
        of them in a list where no map index is given; here as with one, and as in Airflow 2: models/xcom.py).
        """
        prior = include_prior_dates
        if map_indexes is not None:
            return self._pull_indexes(task_ids, map_indexes, dag_id, run_id, key, default, prior=prior)
        if type(task_ids) is str:
            return self._pull(task_ids, key, dag_id, run_id, default, prior=prior)
        if task_ids is None:
            return self._pull(self.task.task_id, key, dag_id, run_id, default, prior=prior)
        found: list[Any] = []
        for task_id in task_ids:
            value = self._pull(task_id, key, dag_id, run_id, None, prior=prior)
            found.extend(value) if type(value) is _Mapped else found.append(value)
        return found

    def _pull(self, task_id: str, key: str, dag_id: str | None, run_id: str | None, default: Any, *, prior: bool = False) -> Any:
        if not prior:
            return self._pull_here(task_id, key, dag_id, run_id, default)
        found = self._pull_here(task_id, key, dag_id, run_id, _NOTHING)
        return self._pull_prior(task_id, -1, key, dag_id, default) if found is _NOTHING else found

    def _pull_here(self, task_id: str, key: str, dag_id: str | None, run_id: str | None, default: Any) -> Any:
        work = self._work
        run = work.run
        if task_id == work.task.task_id and run_id in (None, run.run_id) and dag_id in (None, run.dag_id):
            return self._pull_own(key, default)
        dag_id, run_id = dag_id or run.dag_id, run_id or run.run_id
        text = work.xcoms.get(dag_id, run_id, task_id, -1, key)
        if text is not None:
            return values.decode(text, self._types)
        mapped = work.xcoms.get_mapped(dag_id, run_id, task_id, key)
        if not mapped:
            return default
        found = _Mapped(values.decode(text, self._types) for _, text in mapped)
        return found[0] if len(found) == 1 else found

    def _pull_prior(self, task_id: str, map_index: int, key: str, dag_id: str | None, default: Any) -> Any:
        """The newest value up to this run's date."""
        run, look = self._work.run, getattr(self._work.xcoms, "get_before", None)
        date = run.run_after if run.logical_date is None else run.logical_date
        text = None if look is None else look(dag_id or run.dag_id, date, task_id, map_index, key)
        return default if text is None else values.decode(text, self._types)

    def pull_mapped(self, operator: BaseOperator, key: str = RETURN_KEY, *, default: Any = None) -> Any:
        """What a mapped task pushed: the list of all that its instances did, in order of their index.

        Inside a mapped group an instance sees that of its own index, or `default` (Airflow: `XComArg.resolve`).
        """
        work, run = self._work, self._work.run
        group = operator.mapped_group
        if group is not None and work.task.mapped_group is group:
            text = work.xcoms.get(run.dag_id, run.run_id, operator.task_id, work.map_index, key)
            return default if text is None else values.decode(text, self._types)
        found = work.xcoms.get_mapped(run.dag_id, run.run_id, operator.task_id, key)
        return [values.decode(text, self._types) for _, text in found]

    def _pull_own(self, key: str, default: Any) -> Any:
        """What this attempt pushed so far: what an earlier try pushed is gone when the next one starts."""
        text = self._pushed.get(key)
        return default if text is None else values.decode(text, self._types)

    def _pull_indexes(
        self,
        task_ids: str | Iterable[str] | None,
        map_indexes: int | Iterable[int],
        dag_id: str | None,
        run_id: str | None,
        key: str,
        default: Any,
        *,
        prior: bool,
    ) -> Any:
        ids = [task_ids or self.task_id] if task_ids is None or isinstance(task_ids, str) else list(task_ids)
        indexes = [map_indexes] if isinstance(map_indexes, int) else list(map_indexes)
        dag_id, run_id = dag_id or self.dag_id, run_id or self.run_id
        found = []
        for task_id, index in product(ids, indexes):
            text = self._work.xcoms.get(dag_id, run_id, task_id, index, key)
            if text is not None:
                found.append(values.decode(text, self._types))
            else:
                found.append(self._pull_prior(task_id, index, key, dag_id, default) if prior else default)
        one = isinstance(task_ids, (str, type(None))) and isinstance(map_indexes, int)
        return found[0] if one else found

    # -- wishes ---------------------------------------------------------------------------------------

    def skip(self, task_ids: Iterable[str]) -> None:
        """Wish that these downstream tasks be skipped if this attempt succeeds (branches, short circuits)."""
        self._skips = (*self._skips, *task_ids)

    @property
    def has_decided(self) -> bool:
        """It skips others: what it leaves is the decision, and not what it returned (Airflow 3: task_runner.py)."""
        return bool(self._skips) and not self.is_mapped

    def __repr__(self) -> str:
        index = f"[{self.map_index}]" if self.is_mapped else ""
        return f"<TaskInstance: {self.dag_id}.{self.task_id}{index} {self.run_id} try {self.try_number}>"


_NOTHING: Any = object()


class _Mapped(list[Any]):
    """The values of a mapped task: a list of tasks is answered by them one by one."""


def as_mapping(result: Any) -> Mapping[Any, Any]:
    """What a task with `multiple_outputs` returned, checked: a mapping with str keys."""
    if not isinstance(result, Mapping):
        raise XComTypeError(f"a task with multiple_outputs must return a dict, not {type(result).__name__}")
    for key in result:
        if not isinstance(key, str):
            raise XComTypeError(f"a task with multiple_outputs must return a dict with str keys, not {key!r}")
    return result
