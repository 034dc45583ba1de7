"""A DAG as data: what the scheduler, the store and the command line read instead of operators.

The spec is plain, picklable and survives JSON, so that a process which never imported the DAG's file
can list it, tell its next runs and explain why a task waits (decisions 12).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

SPEC_VERSION = 1


@attrs.define(kw_only=True, eq=False)
class TaskSpec:
    """One task of a DAG. `index` is its place in topological order; edges are indexes of other tasks.

    Durations and moments are microseconds (see `flowlet.clock`).
    """

    task_id: str
    index: int
    operator: str
    upstream: tuple[int, ...] = ()
    downstream: tuple[int, ...] = ()
    trigger_rule: str = "all_success"
    retries: int = 0
    retry_delay: int = 300_000_000
    retry_multiplier: float = 0.0
    """0: a constant delay; otherwise Airflow's exponential base (True is 2.0)."""
    max_retry_delay: int | None = None
    execution_timeout: int | None = None
    pool: str = "default_pool"
    pool_slots: int = 1
    priority_weight: int = 1
    weight_rule: str = "downstream"
    """downstream, upstream or absolute (Airflow's WeightRule), or the path of a class: a strategy of the user's."""
    depends_on_past: bool = False
    wait_for_downstream: bool = False
    ignore_first_depends_on_past: bool = True
    wait_for_past_depends_before_skipping: bool = False
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    start_date: int | None = None
    end_date: int | None = None
    owner: str = "airflow"
    on_crash: str = "requeue"
    """requeue or fail: what becomes of an attempt that a crash interrupted (flowlet's own)."""
    bodyless: bool = False
    """An EmptyOperator without callbacks, inlets or outlets: set `success` without being executed."""
    mapping: tuple[Any, ...] | None = None
    """A mapped task, or one in a mapped group: the lengths whose product is the number of its instances.

    Each is a number, or JSON that names what it hangs on: ["xcom", task], ["zip", fill, [...]] or
    ["concat", [...]], where a task is an index (see `flowlet.runs.mapping`).
    """
    map_group: str | None = None
    """The mapped group that it is in: its instances meet those of the same index of the others in it."""
    guards: tuple[int, ...] = ()
    """Setups, not directly before it, without whose success it does not run."""
    scope: tuple[int, ...] = ()
    """Of a teardown: all that lies between its setups and itself, and so must have ended."""
    is_map_source: bool = False
    """Some mapping hangs on the length of what it returns."""
    marks: tuple[Any, ...] | None = None
    """Of an ExternalTaskMarker: the DAG, the task and the logical date (templates) that it names, and how far markers are followed."""
    sensor: str | None = None
    """None, "poke" or "reschedule"."""
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False


@attrs.define(kw_only=True, eq=False)
class DagSpec:
    """One DAG. `tasks` stand in topological order (ties in the order of definition)."""

    dag_id: str
    tasks: tuple[TaskSpec, ...] = ()
    timetable: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "null"})
    """What `flowlet.timetables.timetable_from_spec` reads."""
    start_date: int | None = None
    end_date: int | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    dagrun_timeout: int | None = None
    max_consecutive_failed_dag_runs: int = 0
    fail_fast: bool = False
    allowed_run_types: tuple[str, ...] | None = None
    """The types of runs that may be made; None: all."""
    is_paused_upon_creation: bool = False
    params: Mapping[str, Any] = attrs.field(factory=dict)
    """Default values, JSON only."""
    tags: tuple[str, ...] = ()
    description: str | None = None
    doc_md: str | None = None
    owner: str = "airflow"
    file: str | None = None
    line: int | None = None
    _by_id: dict[str, TaskSpec] | None = attrs.field(default=None, init=False, repr=False)
    _json: str | None = attrs.field(default=None, init=False, repr=False)
    _roster: str | None = attrs.field(default=None, init=False, repr=False)
    _watchers: dict[int, list[int]] | None = attrs.field(default=None, init=False, repr=False)
    _expansions: dict[int, list[int]] | None = attrs.field(default=None, init=False, repr=False)

    @property
    def by_id(self) -> dict[str, TaskSpec]:
        """task_id to its spec."""
        if self._by_id is None:
            self._by_id = {task.task_id: task for task in self.tasks}
        return self._by_id

    @property
    def expansions(self) -> dict[int, list[int]]:
        """A task to the mapped tasks whose number of instances hangs on it."""
        if self._expansions is None:
            self._expansions = {}
            for task in self.tasks:
                for source in sources(task.mapping or ()):
                    self._expansions.setdefault(source, []).append(task.index)
        return self._expansions

    @property
    def watchers(self) -> dict[int, list[int]]:
        """A task to those that wait for it without coming directly after it: guarded by it, or tearing down after it."""
        if self._watchers is None:
            self._watchers = {}
            for task in self.tasks:
                for watched in (*task.guards, *task.scope):
                    self._watchers.setdefault(watched, []).append(task.index)
        return self._watchers

    def to_json(self) -> str:
        """Compact, stable text: only what differs from the defaults."""
        if self._json is None:
            shape = _sparse(self, skip=("tasks", "_by_id", "_expansions", "_json", "_roster", "_watchers"))
            shape["version"] = SPEC_VERSION
            shape["tasks"] = [_sparse(task, skip=("index", "downstream")) for task in self.tasks]
            text = json.dumps(shape, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
            # Half a character, as in the name of a file that is no UTF-8, becomes JSON's escape for it.
            self._json = text.encode("utf-8", "backslashreplace").decode()
        return self._json

    @property
    def roster(self) -> str:
        """What a new run's task instances have from the DAG: JSON, [task_id, retries, operator, pool] of each."""
        if self._roster is None:
            rows = [(task.task_id, task.retries, task.operator, task.pool) for task in self.tasks]
            self._roster = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
        return self._roster

    @property
    def hash(self) -> str:
        """Changes when anything that the scheduler knows of the DAG changes."""
        import hashlib

        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @classmethod
    def from_json(cls, text: str) -> DagSpec:
        """The inverse of `to_json`; edges downstream are derived."""
        shape = json.loads(text)
        shape.pop("version", None)
        rows = shape.pop("tasks", [])
        downstream: list[list[int]] = [[] for _ in rows]
        for index, row in enumerate(rows):
            row["upstream"] = tuple(row.get("upstream", ()))
            for name in ("mapping", "guards", "scope", "marks"):
                if name in row:
                    row[name] = tuple(row[name])
            for up in row["upstream"]:
                downstream[up].append(index)
        tasks = tuple(
            TaskSpec(index=index, downstream=tuple(downstream[index]), **row)
            for index, row in enumerate(rows)
        )
        shape["tags"] = tuple(shape.get("tags", ()))
        if "allowed_run_types" in shape:
            shape["allowed_run_types"] = tuple(shape["allowed_run_types"])
        return cls(tasks=tasks, **shape)


def sources(lengths: Iterable[Any]) -> set[int]:
    """The tasks on whose values lengths hang."""
    found: set[int] = set()
    for length in lengths:
        if not isinstance(length, int):
            found |= {length[1]} if length[0] == "xcom" else sources(length[-1])
    return found


def _sparse(thing: Any, *, skip: tuple[str, ...]) -> dict[str, Any]:
    """The fields of an attrs object that differ from their defaults."""
    shape = {}
    for field in attrs.fields(type(thing)):
        if field.name in skip:
            continue
        value = getattr(thing, field.name)
        default = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]  # attrs types its Factory as what it makes
        if value != default:
            shape[field.name] = value
    return shape
