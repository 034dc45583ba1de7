"""What the brain decides and the store writes: each move is the row of parameters of one statement.

A turn of the scheduler collects its moves in one `Moves`; the store applies it as one transaction, the
kinds in the order of `store/write.sql`, rows of a kind in the order in which they were decided. Every
update names the state and the attempt that it expects and must change exactly one row (law 4); the
owner's epoch is guarded once per transaction. Moments are microseconds. Of the moves that come in large
numbers the first field tells the rows apart: those that are equal in the others are one statement.
"""

from __future__ import annotations

from flowlet.named_tuple import NamedTuple


class PutDag(NamedTuple):
    """A DAG as it is now registered; `cursor` None keeps the one on file."""

    dag_id: str
    spec: str
    hash: str
    file: str | None
    paused: int
    cursor: int | None
    at: int


class PauseDag(NamedTuple):
    dag_id: str
    paused: int


class PutPool(NamedTuple):
    name: str
    slots: int
    description: str
    include_deferred: int


class DeletePool(NamedTuple):
    name: str


class PutSecret(NamedTuple):
    """A variable or a connection, as it is from now on."""

    kind: str
    name: str
    value: str
    description: str

    def __repr__(self) -> str:
        return f"PutSecret({self.kind!r}, {self.name!r})"


class DeleteSecret(NamedTuple):
    """Forget it, if it is there."""

    kind: str
    name: str


class AddRun(NamedTuple):
    """A new run. Refused (a conflict) when its run_id or logical date is taken."""

    id: int
    dag_id: str
    run_id: str
    run_type: str
    state: str
    logical_date: int | None
    interval_start: int | None
    interval_end: int | None
    run_after: int
    due_at: int | None
    """The tick that made it, for a scheduled run."""
    queued_at: int
    started_at: int | None
    conf: str


class AddTasks(NamedTuple):
    """All task instances of a new run, none of which has moved yet; their ids are contiguous."""

    run: int
    first_id: int
    roster: str
    """JSON: [task_id, max_tries, operator, pool] of each."""
    count: int  # type: ignore[assignment]  # as in AddTick


class AddTask(NamedTuple):
    """A task instance that joined a run, in whatever state it enters."""

    id: int
    run: int
    task_id: str
    map_index: int
    state: str
    try_number: int
    max_tries: int
    operator: str
    pool: str
    queued_at: int | None
    started_at: int | None
    ended_at: int | None


class IndexTask(NamedTuple):
    """The one instance that stood for a mapped task becomes the first of several."""

    id: int
    map_index: int


class ReopenRun(NamedTuple):
    """success or failed -> queued: tasks of it were cleared."""

    id: int


class AdoptRun(NamedTuple):
    """A run that there was becomes one of a backfill; `conf` None keeps its own."""

    id: int
    conf: str | None


class JudgeRun(NamedTuple):
    """A run that has ended is success or failed from now on, for somebody marked it or tasks of it."""

    id: int
    state: str
    reason: str | None


class BeginRun(NamedTuple):
    """queued -> running."""

    started_at: int
    id: int


class EndTask(NamedTuple):
    """An attempt ended: running (in `try_number`) -> `state`, which may be scheduled (interrupted)."""

    id: int
    try_number: int
    state: str
    outcome: str
    reason: str | None
    error: str | None
    """Class name of the exception."""
    ended_at: int
    wake_at: int | None
    """When up_for_retry or up_for_reschedule is due."""
    max_tries: int
    crashes: int


class PutXCom(NamedTuple):
    """A value of the attempt that ends in this transaction; an equal key is replaced."""

    ti: int
    key: str
    value: str


class PutRendered(NamedTuple):
    """What people may see of the latest attempt: its rendered fields (JSON) and its label, either may be None."""

    ti: int
    fields: str | None
    label: str | None


class PutTaskState(NamedTuple):
    """What a task instance keeps for its next try. Refused when the row holds another try."""

    ti: int
    try_number: int
    key: str
    value: str
    updated_at: int
    expires_at: int | None

    def __repr__(self) -> str:
        return f"PutTaskState({self.ti!r}, {self.key!r})"


class PutAssetState(NamedTuple):
    """What is kept of an asset, and who wrote it."""

    asset: str
    key: str
    value: str
    updated_at: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    def __repr__(self) -> str:
        return f"PutAssetState({self.asset!r}, {self.key!r})"


class DropState(NamedTuple):
    """Forget one key of a task instance (its row) or of an asset (its name), or all of them (None)."""

    scope: int | str
    key: str | None


class ReleaseTask(NamedTuple):
    """running -> up_for_reschedule, deferred or awaiting_input: the attempt goes on later."""

    state: str
    wake_at: int | None
    id: int
    try_number: int


class InterruptTask(NamedTuple):
    """deferred or awaiting_input -> scheduled: what the attempt waited for went with its process."""

    id: int
    try_number: int
    expected: str
    reason: str
    ended_at: int
    max_tries: int


class SettleTask(NamedTuple):
    """Any move that no attempt made: to scheduled, skipped, upstream_failed, removed, success (bodyless), none."""

    id: int
    expected: str
    state: str
    reason: str | None
    queued_at: int | None
    ended_at: int | None


class ResetTask(NamedTuple):
    """A cleared task instance has all its retries again; the move that clears it comes before."""

    id: int
    max_tries: int
    try_number: int


class ArchiveAttempt(NamedTuple):
    """Keep the attempt that the row holds, before the next one overwrites it; its XComs go."""

    id: int
    try_number: int


class StartTask(NamedTuple):
    """-> running in `try_number`, from the expected state and the try that the row holds."""

    id: int
    expected: str
    expected_try: int
    try_number: int
    queued_at: int
    started_at: int


class EndRun(NamedTuple):
    """queued or running -> success or failed."""

    state: str
    reason: str | None
    ended_at: int
    id: int


class AddTick(NamedTuple):
    """A span of due ticks of one fate that made no run of their own (coalesced, skipped).

    Joins the span before it when dag, outcome, reason and run are the same and nothing lies between.
    """

    dag_id: str
    due_at: int
    until: int
    count: int  # type: ignore[assignment]  # the column's name; nobody counts the values of this tuple
    outcome: str
    reason: str
    run: int | None
    """The run they were merged into, if any (its row id)."""


class MoveCursor(NamedTuple):
    """The last tick that is accounted for."""

    cursor: int
    dag_id: str


class AddBackfill(NamedTuple):
    """A new backfill, which is running. Refused while another one of the DAG is active."""

    id: int
    dag_id: str
    from_date: int
    to_date: int
    run_backwards: int
    reprocess_behavior: str
    max_active_runs: int
    conf: str | None
    created_at: int


class AddBackfillDates(NamedTuple):
    """All dates of a new backfill, in the order in which they come."""

    backfill: int
    dates: str
    """JSON: [logical_date, interval_start, interval_end, run_after, reason why there is no run] of each."""
    count: int  # type: ignore[assignment]  # as in AddTick


class SettleBackfillDate(NamedTuple):
    """What became of a date of a backfill: its run, or the reason why it has none."""

    backfill: int
    ordinal: int
    run: int | None
    run_id: str | None
    reason: str | None


class MoveBackfill(NamedTuple):
    """From the expected state to another; one that is cancelled leaves its other dates."""

    id: int
    expected: str
    ended_at: int | None
    state: str


class AddEvent(NamedTuple):
    """An anomaly, or an act, that somebody will ask about."""

    at: int
    kind: str
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    try_number: int | None
    text: str


class Moves:
    """All that one turn decided, by kind."""

    __slots__ = (
        "add_backfill",
        "add_backfill_dates",
        "add_event",
        "add_run",
        "add_task",
        "add_tasks",
        "add_tick",
        "adopt_run",
        "archive_attempt",
        "begin_run",
        "delete_pool",
        "delete_secret",
        "drop_asset_state",
        "drop_task_state",
        "end_run",
        "end_task",
        "index_task",
        "interrupt_task",
        "judge_run",
        "move_backfill",
        "move_cursor",
        "pause_dag",
        "put_asset_state",
        "put_dag",
        "put_pool",
        "put_rendered",
        "put_secret",
        "put_task_state",
        "put_xcom",
        "release_task",
        "reopen_run",
        "reset_task",
        "settle_backfill_date",
        "settle_task",
        "start_task",
    )  # fmt: skip

    def __init__(self) -> None:
        self.put_dag: list[PutDag] = []
        self.pause_dag: list[PauseDag] = []
        self.put_pool: list[PutPool] = []
        self.delete_pool: list[DeletePool] = []
        self.put_secret: list[PutSecret] = []
        self.delete_secret: list[DeleteSecret] = []
        self.add_run: list[AddRun] = []
        self.add_tasks: list[AddTasks] = []
        self.index_task: list[IndexTask] = []
        self.add_task: list[AddTask] = []
        self.judge_run: list[JudgeRun] = []
        self.reopen_run: list[ReopenRun] = []
        self.adopt_run: list[AdoptRun] = []
        self.begin_run: list[BeginRun] = []
        self.drop_task_state: list[DropState] = []
        self.put_task_state: list[PutTaskState] = []
        self.drop_asset_state: list[DropState] = []
        self.put_asset_state: list[PutAssetState] = []
        self.end_task: list[EndTask] = []
        self.put_xcom: list[PutXCom] = []
        self.put_rendered: list[PutRendered] = []
        self.release_task: list[ReleaseTask] = []
        self.interrupt_task: list[InterruptTask] = []
        self.settle_task: list[SettleTask] = []
        self.reset_task: list[ResetTask] = []
        self.archive_attempt: list[ArchiveAttempt] = []
        self.start_task: list[StartTask] = []
        self.end_run: list[EndRun] = []
        self.add_tick: list[AddTick] = []
        self.move_cursor: list[MoveCursor] = []
        self.add_backfill: list[AddBackfill] = []
        self.add_backfill_dates: list[AddBackfillDates] = []
        self.settle_backfill_date: list[SettleBackfillDate] = []
        self.move_backfill: list[MoveBackfill] = []
        self.add_event: list[AddEvent] = []

    def __bool__(self) -> bool:
        return bool(
            self.end_task or self.start_task or self.add_run or self.end_run or self.settle_task or self.move_cursor
            or self.add_tick or self.add_event or self.begin_run or self.release_task or self.archive_attempt
            or self.put_xcom or self.add_tasks or self.index_task or self.add_task or self.put_dag or self.pause_dag or self.put_pool
            or self.delete_pool or self.put_secret or self.delete_secret or self.interrupt_task or self.put_rendered
            or self.reopen_run or self.reset_task or self.judge_run
            or self.adopt_run or self.settle_backfill_date or self.move_backfill or self.add_backfill or self.add_backfill_dates
            or self.put_task_state or self.put_asset_state or self.drop_task_state or self.drop_asset_state
        )  # fmt: skip
