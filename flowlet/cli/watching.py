"""How a run is shown while it goes on, and how it is summed up."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flowlet.cli import log_files, render
from flowlet.cli.printed import Printed
from flowlet.cli.writing import Writer
from flowlet.clock import SystemClock
from flowlet.events import Event, EventAdded, TaskEnded, TaskStarted
from flowlet.worker.log_paths import LogKey

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine import DagRun
    from flowlet.worker.logs import Logs

#: A task instance that ended like this is shown as finished; other ends are steps on the way.
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry"})

_WIDEST = 40


class View:
    """Is told what happens in the engine, from before the run exists to its end.

    It writes to the standard output of when it was made: a body's prints go to the body's log, from which
    they are shown here, unless `quiet`.
    """

    def __init__(self, dag: DAG, db: str, *, quiet: bool = False, alone: bool = False) -> None:
        self.dag_id = dag.dag_id
        self.task_ids = [task.task_id for task in dag.spec.tasks]
        self.db = db
        self.quiet = quiet
        self.run: DagRun | None = None
        self.began_at = SystemClock().monotonic()
        self._width = max(map(len, self.task_ids), default=0)
        self.out = Writer(alone=alone)
        self._early: list[Event] = []
        self._printed: Printed | None = None
        self._running: set[LogKey] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.out.close()

    def tell(self, event: Event) -> None:
        """An event of any run; those of this one are shown."""
        if self.run is None:
            self._early.append(event)
        elif isinstance(event, EventAdded):
            if event.run_id in {None, self.run.run_id}:
                self.show_event(event)
        elif event.run_id != self.run.run_id:
            return
        elif isinstance(event, TaskStarted):
            self._started(event)
            self.show_start(event)
        elif isinstance(event, TaskEnded):
            self._ended(event)
            if event.state in FINISHED:
                self.show_task(event)

    def begin(self, run: DagRun, logs: Logs) -> None:
        """The run exists."""
        self.run = run
        if not self.quiet:
            self._printed = Printed(logs)
        early, self._early = self._early, []
        for event in early:
            self.tell(event)

    @property
    def is_running(self) -> bool:
        """An attempt of the run is under way."""
        return bool(self._running)

    # -- what bodies print -------------------------------------------------------------------------------

    def look(self) -> None:
        """Show what running bodies have printed since the last look."""
        for key in self._running:
            self._show_prints(key)

    def _started(self, event: TaskStarted) -> None:
        self._running.add(_log_key(event))

    def _ended(self, event: TaskEnded) -> None:
        if (key := _log_key(event)) in self._running:
            self._running.remove(key)
            self._show_prints(key, last=True)

    def _show_prints(self, key: LogKey, *, last: bool = False) -> None:
        if self._printed is not None:
            lines = self._printed.news(key, last=last)
            if lines:
                self.show_prints(_key(key.task_id, key.map_index), lines)

    def aligned(self, key: str) -> str:
        """The key, as wide as the widest so far; mapped instances come late."""
        self._width = max(self._width, len(key))
        return f"{key:<{min(self._width, _WIDEST)}}"

    # -- how it looks ------------------------------------------------------------------------------------

    def show_prints(self, key: str, lines: list[str]) -> None:
        """A body printed."""

    def show_start(self, event: TaskStarted) -> None:
        """An attempt started."""

    def show_task(self, event: TaskEnded) -> None:
        """A task instance finished."""

    def show_waits(self, whys: dict[str, str]) -> None:
        """Nothing runs: why these tasks do not go on."""

    def show_event(self, event: EventAdded) -> None:
        """Something unusual happened."""

    def end(self, shape: dict[str, Any]) -> None:
        """The run is over; `shape` is its `as_dict()`."""

    def summary(self, shape: dict[str, Any]) -> list[str]:
        """How the run ended, in lines."""
        return summary(shape, self.db, SystemClock().monotonic() - self.began_at)


class JsonView(View):
    """Silent until the end, then one JSON document."""

    def __init__(self, dag: DAG, db: str) -> None:
        super().__init__(dag, db, quiet=True, alone=True)

    def end(self, shape: dict[str, Any]) -> None:
        import json

        self.out.say(json.dumps(shape, indent=2, ensure_ascii=False))


class PlainView(View):
    """Lines for pipes, files and CI: what bodies print, each finished task, and a summary."""

    def begin(self, run: DagRun, logs: Logs) -> None:
        self.out.say(f"{self.dag_id}: run {run.run_id} in {self.db}")
        super().begin(run, logs)

    def show_prints(self, key: str, lines: list[str]) -> None:
        start = self.aligned(key)
        self.out.say("\n".join([f"{start} | {log_files.harmless(line)}" for line in lines]))

    def show_task(self, event: TaskEnded) -> None:
        self.out.say(line_of(event, self.aligned(key_of(event))))

    def show_waits(self, whys: dict[str, str]) -> None:
        for key, why in whys.items():
            self.out.say(f"{self.aligned(key)}  {render.printable(why)}")

    def show_event(self, event: EventAdded) -> None:
        self.out.say(f"{event.kind}: {render.printable(event.text)}")

    def end(self, shape: dict[str, Any]) -> None:
        self.out.say("\n".join(self.summary(shape)))


def line_of(event: TaskEnded, key: str) -> str:
    """`load      failed     0.120 s  try 2  ValueError: bad row`."""
    span = None if event.started_at is None else event.at - event.started_at
    more = f"try {event.try_number}" if event.try_number > 1 or event.state == "up_for_retry" else ""
    reason = render.printable(event.reason or "") if event.state != "success" else ""
    parts = [key, f"{event.state:<15}", f"{render.seconds(span):>8}", more, reason]
    return "  ".join(part for part in parts if part).rstrip()


def key_of(event: TaskStarted | TaskEnded) -> str:
    """`task_id`, or `task_id[3]` of a mapped task."""
    return _key(event.task_id, event.map_index)


def _key(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def _log_key(event: TaskStarted | TaskEnded) -> LogKey:
    return LogKey(event.dag_id, event.run_id, event.task_id, event.map_index, event.try_number)


def summary(shape: dict[str, Any], db: str, span: int) -> list[str]:
    """How the run ended; of each task that failed: why, and where its log is."""
    counts = Counter(shape["tasks"].values())
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
    lines = [f"{shape['dag_id']}: {shape['state']} in {render.seconds(span)} ({states or 'no tasks'})"]
    failed = [key for key, state in shape["tasks"].items() if state == "failed"]
    for key in failed[:10]:
        lines += _failure(shape, db, key)
    if len(failed) > 10:
        lines.append(
            f"  and {len(failed) - 10:,} more: flowlet runs show {shape['dag_id']} {shape['run_id']}"
        )
    if shape["state"] != "success" and not failed and shape.get("reason"):
        lines.append(f"  {render.printable(shape['reason'])}")
    return lines


def _failure(shape: dict[str, Any], db: str, key: str) -> list[str]:
    from flowlet.cli.arguments import task

    tries = shape["tries"].get(key, 1)
    reason = render.printable(shape["reasons"].get(key) or "no reason given")
    lines = [f"  {key} (try {tries}): {reason}"]
    if db != ":memory:":
        task_id, map_index = task(key)
        path = log_files.log_path(db, shape["dag_id"], shape["run_id"], task_id, map_index, tries)
        lines.append(f"    log: {path}" if path.exists() else "    it logged nothing")
    return lines
