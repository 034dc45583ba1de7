"""How a run is shown while it goes on, and how it is summed up."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from flowlet.cli import render
from flowlet.clock import SystemClock
from flowlet.events import Event, EventAdded, TaskEnded

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine import DagRun

#: A task instance that ended like this is shown as finished; other ends are steps on the way.
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry"})


class View:
    """Is told what happens in the engine, from before the run exists to its end.

    It writes to the standard output of when it was made: a body's prints go to the body's log.
    """

    def __init__(self, dag: DAG, db: str) -> None:
        self.dag_id = dag.dag_id
        self.task_ids = [task.task_id for task in dag.spec.tasks]
        self.db = db
        self.run: DagRun | None = None
        self.began_at = SystemClock().monotonic()
        self._out = sys.stdout
        self._early: list[Event] = []
        self._deserted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def tell(self, event: Event) -> None:
        """An event of any run; those of this one are shown."""
        if self.run is None:
            self._early.append(event)
        elif isinstance(event, EventAdded):
            if event.run_id in {None, self.run.run_id}:
                self.show_event(event)
        elif isinstance(event, TaskEnded) and event.run_id == self.run.run_id and event.state in FINISHED:
            self.show_task(event)

    def begin(self, run: DagRun) -> None:
        """The run exists."""
        self.run = run
        early, self._early = self._early, []
        for event in early:
            self.tell(event)

    def show_task(self, event: TaskEnded) -> None:
        """A task instance finished."""

    def show_event(self, event: EventAdded) -> None:
        """Something unusual happened."""

    def end(self, shape: dict[str, Any]) -> None:
        """The run is over; `shape` is its `as_dict()`."""

    def say(self, line: str) -> None:
        """One line, at once. Whoever left the other end of the pipe does not stop the run."""
        if self._deserted:
            return
        try:
            print(line, file=self._out, flush=True)
        except BrokenPipeError:
            self._deserted = True


class JsonView(View):
    """Silent until the end, then one JSON document."""

    def end(self, shape: dict[str, Any]) -> None:
        import json

        self.say(json.dumps(shape, indent=2, ensure_ascii=False))


class PlainView(View):
    """A line per finished task, and a summary: for pipes, files and CI."""

    def begin(self, run: DagRun) -> None:
        self.say(f"{self.dag_id}: run {run.run_id} in {self.db}")
        self._width = min(max(map(len, self.task_ids), default=0), 40)
        super().begin(run)

    def show_task(self, event: TaskEnded) -> None:
        self.say(line_of(event, self._width))

    def show_event(self, event: EventAdded) -> None:
        self.say(f"{event.kind}: {render.printable(event.text)}")

    def end(self, shape: dict[str, Any]) -> None:
        for line in summary(shape, self.db, SystemClock().monotonic() - self.began_at):
            self.say(line)


def line_of(event: TaskEnded, width: int) -> str:
    """`failed           load       0.120 s  try 2  ValueError: bad row`."""
    span = None if event.started_at is None else event.at - event.started_at
    more = f"try {event.try_number}" if event.try_number > 1 or event.state == "up_for_retry" else ""
    reason = render.printable(event.reason or "") if event.state != "success" else ""
    parts = [f"{event.state:<15}", f"{key_of(event):<{width}}", f"{render.seconds(span):>8}", more, reason]
    return "  ".join(part for part in parts if part).rstrip()


def key_of(event: TaskEnded) -> str:
    """`task_id`, or `task_id[3]` of a mapped task."""
    return event.task_id if event.map_index < 0 else f"{event.task_id}[{event.map_index}]"


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
        from flowlet.cli.log_files import log_path

        task_id, map_index = task(key)
        path = log_path(db, shape["dag_id"], shape["run_id"], task_id, map_index, tries)
        lines.append(f"    log: {path}" if path.exists() else "    it logged nothing")
    return lines
