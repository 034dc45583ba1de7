"""What goes into a worker and what comes out: one attempt, one outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import attrs

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Unpack

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator


class XComReader(Protocol):
    """Reads values that are on file. Blocking but quick; answers encoded text (see flowlet.runs.values)."""

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str | None:
        """The value of one task instance, or None."""
        ...

    def get_mapped(self, dag_id: str, run_id: str, task_id: str, key: str) -> list[tuple[int, str]]:
        """(map_index, value) of all mapped instances that pushed, in order of map_index."""
        ...


class Runs(Protocol):
    """The door from a body that runs on the engine's loop to the runs beside its own (all of it may raise)."""

    async def trigger(
        self, by: RunFacts, dag_id: str, *, conf: Mapping[str, Any] | None, run_id: str | None, **date: Any
    ) -> str:
        """A new run of that DAG, asked for by the run `by`; gives its run_id."""
        ...

    async def reset(self, by: RunFacts, dag_id: str, *, run_id: str | None, **date: Any) -> str:
        """The run of that id, or that was made for that date, begins anew; gives its run_id."""
        ...

    async def exists(self, dag_id: str, run_id: str) -> bool:
        """Whether there is a run of that id."""
        ...

    async def state(self, dag_id: str, run_id: str) -> str:
        """How a run stands."""
        ...

    async def run_states(self, dag_id: str, dates: Sequence[datetime]) -> list[str | None]:
        """How the DAG's runs of these logical dates stand; None where there is none."""
        ...

    async def task_states(
        self, dag_id: str, dates: Sequence[datetime], task_ids: Sequence[str]
    ) -> list[list[str] | None]:
        """How these tasks stand in the runs of these logical dates; None where there is no run."""
        ...

    def tasks_of(self, dag_id: str, group_id: str) -> list[str]:
        """The ids of the tasks in a group of another DAG."""
        ...

    def check(self, dag_id: str, task_ids: Sequence[str]) -> None:
        """Raise if there is no such DAG or task."""
        ...


class States(Protocol):
    """The door from a body to what tasks keep beside their values: of its own instance or, with `asset`, of an asset.

    Values are texts. From a thread a write returns when it is on file; on the engine's loop, which nobody may hold up,
    it is seen at once and on file with the next commit, before anything that follows from the attempt's end.
    """

    def find(self, work: Workload, asset: str | None, key: str) -> str | None:
        """What is kept, or None. Blocking but quick."""
        ...

    async def afind(self, work: Workload, asset: str | None, key: str) -> str | None:
        """The same, awaited."""
        ...

    def keep(self, work: Workload, asset: str | None, key: str, value: str, expires_at: int | None) -> None:
        """Keep a text, until a moment or for good."""
        ...

    async def akeep(self, work: Workload, asset: str | None, key: str, value: str, expires_at: int | None) -> None:
        """The same; on file when this returns."""
        ...

    def drop(self, work: Workload, asset: str | None, key: str | None) -> None:
        """Forget a key, or all (None)."""
        ...

    async def adrop(self, work: Workload, asset: str | None, key: str | None) -> None:
        """The same; on file when this returns."""
        ...

    def name_of(self, uri: str) -> str | None:
        """The name of the asset with that uri, among those that the registered DAGs name."""
        ...


@attrs.define(eq=False)
class RunFacts:
    """What a body may know of its DagRun. Moments are microseconds; made once per run, shared, never written."""

    dag_id: str
    run_id: str
    run_type: str
    logical_date: int | None
    interval_start: int | None
    interval_end: int | None
    run_after: int
    start_date: int | None
    conf: Mapping[str, Any]
    partition: tuple[str | None, datetime | None] = (None, None)
    """Key and moment of the partition that it is about."""
    cache: dict[str, Any] = attrs.field(factory=dict)
    """The worker's: what it derives once per run (template variables, the context's dag_run)."""


class Workload:
    """One attempt to run, with all that it needs: operator, run, try, and where values come from."""

    __slots__ = (
        "count", "dag", "key", "map_index", "max_tries", "resume", "run", "started_at", "task", "try_number", "xcoms",
    )  # fmt: skip

    def __init__(
        self,
        key: Any,
        dag: DAG,
        task: BaseOperator,
        run: RunFacts,
        map_index: int,
        try_number: int,
        max_tries: int,
        started_at: int,
        xcoms: XComReader,
        resume: Any = None,
        count: int | None = None,
    ) -> None:
        self.key = key  # the scheduler's own; a worker hands it back untouched
        self.dag = dag
        self.task = task
        self.run = run
        self.map_index = map_index
        self.try_number = try_number
        self.max_tries = max_tries
        self.started_at = started_at  # of this try, also when a sensor is poked again
        self.xcoms = xcoms
        self.count = count  # of a mapped task: how many instances it has
        self.resume = resume  # the worker's own, kept between two parts of one attempt; None at a fresh start


class _More(TypedDict, total=False):
    reason: str | None
    error: str | None
    retry: bool
    delay: int | None
    until: int | None
    mode: str | None
    resume: Any
    notes: tuple[tuple[str, str], ...]


class Outcome:
    """What an attempt left. `kind` is an AttemptOutcome value, "waiting" (a sensor between two pokes) or "deferred"."""

    reason: str | None = None
    """One readable line."""
    error: str | None = None
    """Class name of the exception."""
    retry: bool = True
    """False: fail now whatever retries are left (FailTask, a sensor's timeout)."""
    delay: int | None = None
    """How long until the next try, if its retry policy says so. Microseconds."""
    until: int | None = None
    """Waiting: when to poke again (or to notice the timeout); deferred: when the wait is over at the latest. Microseconds."""
    mode: str | None = None
    """Waiting: "poke" or "reschedule"."""
    resume: Any = None
    """Waiting in poke mode, or deferred: handed back in the next Workload."""
    rendered: str | None = None
    """JSON: its template fields as people may see them, where something was rendered."""
    label: str | None = None
    """What `map_index_template` makes of the instance."""
    length: int | None = None
    """How many items it returned, of a task over which others are mapped."""
    notes: tuple[tuple[str, str], ...] = ()
    """(event kind, text) of what went wrong beside the outcome: a log cut short, ..."""
    exception: BaseException | None = None
    """What the body raised; for callbacks in this process."""
    context: dict[str, Any] | None = None
    """What the body was given; for callbacks in this process."""

    def __init__(
        self, kind: str, xcoms: tuple[tuple[str, str], ...] = (), skip: tuple[str, ...] = (), **more: Unpack[_More]
    ) -> None:
        self.kind = kind
        self.xcoms = xcoms
        """(key, encoded text)."""
        self.skip = skip
        """Ids of direct or transitive downstream tasks that are to be skipped."""
        if more:
            self.__dict__.update(more)

    def __repr__(self) -> str:
        return f"Outcome({self.kind!r}, reason={self.reason!r})"
