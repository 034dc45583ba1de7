"""A DagRun and its task instances as the scheduler holds them while the run is active.

Readiness is counters: a task instance knows how many of its direct upstreams ended in which state, so a
finished task costs its out-degree and nothing is ever scanned (law 2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.runs.states import NONE, QUEUED, RUNNING, SKIPPED, SUCCESS

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec, TaskSpec

class TaskInstance:
    """One task in one run. Moments are microseconds; `state` is what is (being) written to the file.

    What it is at first stands on the class: a run of 100,000 tasks is made in no time.
    """

    state: str = NONE
    shown: str = NONE
    """The state that is on file: what a user is told."""
    try_number: int = 0
    crashes: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    removed: int = 0
    """How many of its direct upstreams ended so."""
    setups: int = 0
    setups_succeeded: int = 0
    setups_skipped: int = 0
    is_told: bool = False
    """It has ended, and those who come directly after it have counted that."""
    released: bool = False
    """Its trigger rule has let it go and it has not ended: it is somewhere on its way."""
    blocker: Any = None
    """The limit that keeps a released instance from starting."""
    place: int = -1
    """The number of its place among those who wait for slots."""
    holds: bool = False
    """It holds slots (pool, run, task limits)."""
    keeps: str = ""
    """The state in which it waits and is counted for some of them (deferred, awaiting_input)."""
    queued_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    wake_at: int | None = None
    outcome: str | None = None
    reason: str | None = None
    errors: dict[int, str] | None = None
    """Of failed attempts: try number to the class name of the exception."""
    xcoms: tuple[tuple[str, str], ...] | None = ()
    """(key, encoded text) that the last attempt left; None: they stand in the file."""
    work: Any = None
    """The workload of the attempt that is running."""
    deferral: Any = None
    """What it waits for while it is deferred, and how it goes on after that (the worker's)."""
    instances: list[TaskInstance] | None = None
    """Of a mapped task that has been expanded, on the one that stood for it before: all of them, itself first."""
    length: int | None = None
    """How many items it returned, where a mapping hangs on it; of a mapped instance, 1 if it returned any."""
    rendered: str | None = None
    """What people may see of its template fields: JSON, if something was rendered."""
    label: str | None = None
    """What `map_index_template` calls it."""

    def __init__(self, run: ActiveRun, spec: TaskSpec, id: int, map_index: int = -1) -> None:  # noqa: A002  the row's name
        self.run = run
        self.spec = spec
        self.id = id
        self.map_index = map_index
        self.max_tries = spec.retries
        self.total = len(spec.upstream)

    @property
    def key(self) -> str:
        """`task_id`, or `task_id[3]` of a mapped task."""
        return _key(self.spec.task_id, self.map_index)

    def __repr__(self) -> str:
        return f"<{self.run.dag_id}/{self.run.run_id}/{self.key} {self.state} try {self.try_number}>"


def _key(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


class ActiveRun:
    """One DagRun with its task instances.

    `tasks[i]` belongs to `spec.tasks[i]`; of a mapped task it is the first of its `instances`.
    """

    __slots__ = (
        "__weakref__", "backfill", "conf", "dag_id", "due_at", "ended_at", "facts", "first_task_id", "followers", "gate", "gone", "held", "id", "ignores_past",
        "interval_end", "interval_start", "is_alone", "is_expanded", "limit", "logical_date", "on_over", "operators", "past", "past_date", "past_waiting", "queued_at",
        "reason", "recalled", "released", "resizing", "run_after", "run_id", "run_type", "saved", "shown", "spec", "started_at", "state",
        "task_limits", "tasks", "times_out_at", "unfinished",
    )  # fmt: skip

    def __init__(
        self,
        *,
        id: int,  # noqa: A002  the row's name
        spec: DagSpec,
        run_id: str,
        run_type: str,
        logical_date: int | None,
        interval_start: int | None,
        interval_end: int | None,
        run_after: int,
        queued_at: int,
        conf: str = "{}",
        due_at: int | None = None,
    ) -> None:
        self.id = id
        self.spec = spec
        self.dag_id = spec.dag_id
        self.run_id = run_id
        self.run_type = run_type
        self.state: str = QUEUED
        self.shown: str = QUEUED
        self.logical_date = logical_date
        self.interval_start = interval_start
        self.interval_end = interval_end
        self.run_after = run_after
        self.due_at = due_at
        self.queued_at = queued_at
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.conf = conf
        self.reason: str | None = None
        self.saved = False
        """Its row exists; before, its state enters with the row."""
        self.recalled = True
        """What its attempts left is in memory; False: some of it stands in the file only."""
        self.tasks: list[TaskInstance] = []
        self.gone: dict[str, TaskInstance] = {}
        """Instances of tasks that the DAG no longer has, by key."""
        self.first_task_id = 0
        self.unfinished = 0
        self.released = 0
        """How many instances are on their way; none and something unfinished is a deadlock."""
        self.past: Mapping[str, str] | ActiveRun | None = None
        """The previous run, for depends_on_past; None for a first run."""
        self.past_date: int | None = None
        """Its logical date."""
        self.ignores_past = False
        """It looks at no run before it: the first of a backfill."""
        self.is_alone = False
        """No other run is to come that could let it go on: dag.test()."""
        self.backfill: int | None = None
        """The backfill that it was made for, or adopted by, if that is going on."""
        self.past_waiting: set[TaskInstance] = set()
        self.followers: list[ActiveRun] = []
        self.held: str | None = None
        """Why a queued run does not begin."""
        self.limit: Any = None
        """Its max_active_tasks."""
        self.gate: Any = None
        """Shut while the DAG is paused."""
        self.operators: Any = ()
        """What the user wrote, by index; empty where the DAG's code is not loaded."""
        self.task_limits: dict[str, Any] | None = None
        self.resizing: set[int] = set()
        """Mapped tasks that were cleared: they get as many instances as there are items when they run again."""
        self.is_expanded = False
        """Some mapped task has its instances."""
        self.facts: Any = None
        self.on_over: list[Any] = []
        self.times_out_at: int | None = None
        """When its dagrun_timeout is over."""

    def populate(self, first_id: int) -> None:
        """Make one instance per task, with contiguous row ids."""
        specs = self.spec.tasks
        self.first_task_id = first_id
        self.tasks = [TaskInstance(self, spec, first_id + i) for i, spec in enumerate(specs)]
        self.unfinished = len(specs)
        if any(spec.is_setup for spec in specs):
            self._count_setups()

    def _count_setups(self) -> None:
        specs = self.spec.tasks
        for ti in self.tasks:
            ti.setups = sum(specs[up].is_setup for up in ti.spec.upstream)

    @property
    def instances(self) -> Sequence[TaskInstance]:
        """All of them, those of mapped tasks in order of their index."""
        if not self.is_expanded:
            return self.tasks
        return [ti for first in self.tasks for ti in first.instances or (first,)]

    def find(self, task_id: str, map_index: int = -1) -> TaskInstance | None:
        """The instance of a task, or None."""
        spec = self.spec.by_id.get(task_id)
        if spec is None:
            return self.gone.get(_key(task_id, map_index))
        ti = self.tasks[spec.index]
        if ti.instances is not None and 0 <= map_index < len(ti.instances):
            return ti.instances[map_index]
        return ti if ti.map_index == map_index and ti.id else self.gone.get(_key(task_id, map_index))

    @property
    def known_instances(self) -> list[TaskInstance]:
        """All that have a row, those of tasks that the DAG no longer has at the end."""
        return [*(ti for ti in self.instances if ti.id), *self.gone.values()]

    def of_task(self, task_id: str) -> Sequence[TaskInstance]:
        """All instances of a task; none if the run never had it."""
        spec = self.spec.by_id.get(task_id)
        if spec is None:
            return ()
        first = self.tasks[spec.index]
        return first.instances or (first,)

    def leaves(self) -> Iterator[TaskInstance]:
        """The instances that decide how the run ended (Airflow: DagRun._tis_for_dagrun_state)."""
        for ti in self.instances:
            spec, specs = ti.spec, self.spec.tasks
            if all(self._is_nothing(specs[index]) for index in spec.downstream) and not self._is_nothing(spec):
                yield ti

    def _is_nothing(self, spec: TaskSpec) -> bool:
        """A teardown whose failure is not the run's, or a task that the DAG got after the run had ended."""
        return (spec.is_teardown and not spec.on_failure_fail_dagrun) or not self.tasks[spec.index].id

    def state_of(self, task_id: str) -> str | None:
        """The state of a task, or None when the run never had it; of a mapped one, the first that is not good."""
        states = [ti.state for ti in self.of_task(task_id)]
        return next((state for state in states if state not in (SUCCESS, SKIPPED)), states[0] if states else None)

    def is_async(self, ti: TaskInstance) -> bool:
        """Whether its body runs on the loop."""
        try:
            return not self.operators or bool(self.operators[ti.spec.index].is_async)
        except BaseException:  # somebody's property; the attempt will fail by it, with the reason
            return False

    @property
    def conf_value(self) -> dict[str, Any]:
        """The conf as the user gave it."""
        value: dict[str, Any] = json.loads(self.conf)
        return value

    def __repr__(self) -> str:
        return f"<{self.dag_id}/{self.run_id} {self.state}>"

def past_state(past: Mapping[str, str] | ActiveRun, task_id: str) -> str | None:
    """The state of a task in the previous run."""
    return past.state_of(task_id) if isinstance(past, ActiveRun) else past.get(task_id)

def is_active(run: ActiveRun) -> bool:
    """The run has not ended."""
    return run.state in (QUEUED, RUNNING)
