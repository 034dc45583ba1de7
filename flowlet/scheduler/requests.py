"""What the brain is told. Each is applied in a turn; those with a reply are answered after its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures
    from collections.abc import Mapping, Sequence

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.spec import DagSpec
    from flowlet.runs.clearing import Which
    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.scheduler.backfills import Date, Plan
    from flowlet.scheduler.past import Known
    from flowlet.timetables import Interval
    from flowlet.worker.deferral import Deferral
    from flowlet.worker.workload import Outcome, Workload

Reply = "asyncio.Future[Any] | None"

#: A run without an explicit logical date gets now, moved to the next free microsecond.
NOW = -1


class Ended(NamedTuple):
    """An executor delivered an outcome."""

    work: Workload
    outcome: Outcome


class Discarded(NamedTuple):
    """An outcome came after its attempt had been given up."""

    work: Workload
    outcome: Outcome


class Fired(NamedTuple):
    """What a deferred task waits for came, failed or timed out."""

    deferral: Deferral


class Answer(NamedTuple):
    """A person's answer to a task that is awaiting input."""

    ti: TaskInstance
    options: Sequence[str]
    params: Mapping[str, Any]
    by: str | None
    reply: asyncio.Future[Any] | None = None


class BackfillOnFile(NamedTuple):
    """A backfill that was going on when its engine ended."""

    id: int
    plan: Plan
    state: str
    dates: list[Date]
    """Those that have not had their turn."""
    links: Sequence[tuple[int, int]]
    """Row of each of its runs, and the ordinal of the run's date."""


class Register(NamedTuple):
    """A DAG is known from now on. `row` is what the file has of it, `runs` its active runs on file, `past`
    the runs before those and before the next tick."""

    dag: DAG | None
    spec: DagSpec
    row: Sequence[Any] | None
    runs: Sequence[tuple[Sequence[Any], list[Sequence[Any]]]]
    newest_date: int | None
    past: Sequence[Known]
    failures: int = 0
    """How many of its latest runs failed, one after the other."""
    lengths: Mapping[int, int] = {}
    """Row of a task instance to how many items it returned, in DAGs with mapped tasks."""
    last: tuple[int, Interval] | None = None
    """The last tick that became a run, for a timetable that goes on from there."""
    backfill: BackfillOnFile | None = None
    reply: asyncio.Future[Any] | None = None


class Trigger(NamedTuple):
    """Make a run. `logical_date` is a moment, None, or NOW."""

    dag_id: str
    run_id: str | None
    logical_date: int | None
    conf: str
    past: Sequence[Known]
    """The run before, as the file has it."""
    reply: asyncio.Future[Any] | None = None
    run_type: str = "manual"


class CreateBackfill(NamedTuple):
    """Fill these dates, as planned; `runs` says which of them have a run: date to its id and its state."""

    plan: Plan
    dates: Sequence[Date]
    runs: Mapping[int, tuple[str, str]]
    reply: asyncio.Future[Any] | None = None


class PauseBackfill(NamedTuple):
    id: int
    reply: asyncio.Future[Any] | None = None


class UnpauseBackfill(NamedTuple):
    id: int
    reply: asyncio.Future[Any] | None = None


class CancelBackfill(NamedTuple):
    id: int
    reply: asyncio.Future[Any] | None = None


class LookUpDates(NamedTuple):
    """Dates of a backfill whose turn it is: what stands there is read before the next turn."""

    dag_id: str
    backfill: int
    reprocess_behavior: str
    dates: Sequence[Date]


class FoundDate(NamedTuple):
    """What the file has at a date."""

    date: Date
    state: str | None
    """How its run stands, if it has one."""
    run: Found | None
    """That run, if it is to run again."""
    past: Sequence[Known]
    """The run before it, if it has none itself."""


class FoundDates(NamedTuple):
    """The answer to `LookUpDates`."""

    dag_id: str
    backfill: int
    found: Sequence[FoundDate]


class Cancel(NamedTuple):
    """End a run before its time."""

    run: ActiveRun
    reason: str
    reply: asyncio.Future[Any] | None = None


class Found(NamedTuple):
    """A run that a verb is about: live, or as the file has it."""

    run: ActiveRun
    held: ActiveRun | None = None
    """What somebody holds of it since it ended."""
    past: Sequence[Known] = ()
    """The run before, as the file has it."""
    skips: Mapping[int, str] = {}
    """Row of a task instance to the text of what it decided to skip."""


Part = tuple[Found, "Which"]
"""Some tasks of a run."""


class Clear(NamedTuple):
    """Let task instances start anew. The answer names them, those of other DAGs than `dag_id` with their DAG; with
    `dry_run` nothing happens to them."""

    dag_id: str
    parts: Sequence[Part]
    dry_run: bool = False
    reply: asyncio.Future[Any] | None = None


class SetTaskState(NamedTuple):
    """A person says how task instances ended. The answer names those that had another state."""

    runs: Sequence[Found]
    which: Which
    state: str
    dry_run: bool = False
    reply: asyncio.Future[Any] | None = None


class SetRunState(NamedTuple):
    """A person says how a run ended, or lets it begin again."""

    found: Found
    state: str
    reply: asyncio.Future[Any] | None = None


class Pause(NamedTuple):
    """Pause a DAG or let it go on."""

    dag_id: str
    paused: bool
    reply: asyncio.Future[Any] | None = None


class SetPool(NamedTuple):
    """Make a pool, or change it. `on_file` False: write it too."""

    name: str
    slots: int
    description: str = ""
    on_file: bool = False
    include_deferred: bool | None = None
    """None: as it is."""
    reply: asyncio.Future[Any] | None = None


class DeletePool(NamedTuple):
    name: str
    reply: asyncio.Future[Any] | None = None


class KeepSecret(NamedTuple):
    """A variable or a connection is this from now on."""

    kind: str
    name: str
    value: str
    description: str
    reply: asyncio.Future[Any] | None = None


class ForgetSecret(NamedTuple):
    kind: str
    name: str
    reply: asyncio.Future[Any] | None = None


class KeepState(NamedTuple):
    """A running task keeps a text under a key: for its next try, or with `asset` (a name) of that asset."""

    work: Workload
    asset: str | None
    key: str
    value: str
    expires_at: int | None = None
    reply: concurrent.futures.Future[Any] | None = None


class DropState(NamedTuple):
    """It forgets a key, or all of them (None)."""

    work: Workload
    asset: str | None
    key: str | None
    reply: concurrent.futures.Future[Any] | None = None


class Note(NamedTuple):
    """Something that is to stand in `events`."""

    kind: str
    text: str
    about: TaskInstance | ActiveRun | None = None


class Flush(NamedTuple):
    """Answered when all that was told before is on file."""

    reply: asyncio.Future[Any] | None = None


class ClockJumped(NamedTuple):
    """The wall clock moved by itself, by so many microseconds."""

    moved: int
    text: str


class Interrupt(NamedTuple):
    """The engine stops while a sensor waits between two pokes."""

    ti: TaskInstance


class Reload(NamedTuple):
    """Rows of a run are not as they were left. `row` is what the file has of it now, or None."""

    run: ActiveRun
    row: Sequence[Any] | None
    tasks: Sequence[Sequence[Any]]
    lengths: Mapping[int, int]
