"""A run on a terminal: drawn anew a few times a second, in place."""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flowlet.cli import log_files, render
from flowlet.cli.watching import FINISHED, View, key_of
from flowlet.clock import SystemClock
from flowlet.events import EventAdded, TaskEnded, TaskStarted

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine import DagRun
    from flowlet.worker.logs import Logs

#: Seconds between two drawings.
_EVERY = 0.125
_NOTES = 5


class _Row:
    """What is drawn of one task instance."""

    __slots__ = ("ended_at", "place", "reason", "started_at", "state", "try_number")

    def __init__(self, place: tuple[int, int]) -> None:
        self.place = place
        """In topological order; of a mapped task in the order of its items."""
        self.state = "none"
        self.try_number = 0
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.reason = ""


class LiveView(View):
    """Every task where they fit on the screen, else counts, what runs and what failed; above, what bodies print."""

    def __init__(self, dag: DAG, db: str, *, quiet: bool = False) -> None:
        super().__init__(dag, db, quiet=quiet)
        self._places = {task_id: place for place, task_id in enumerate(self.task_ids)}
        self._rows = {task_id: _Row((place, -1)) for task_id, place in self._places.items()}
        self._notes: list[str] = []
        self._above: deque[Text] = deque()
        self._summary: list[Text] = []
        self._closing = threading.Event()
        self._clock = SystemClock()
        self._console = Console(file=sys.stdout, highlight=False)
        self._thread = threading.Thread(target=self._draw_all, name="flowlet:screen", daemon=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def begin(self, run: DagRun, logs: Logs) -> None:
        super().begin(run, logs)
        self._thread.start()

    def show_prints(self, key: str, lines: list[str]) -> None:
        start = f"{self.aligned(key)} | "
        for line in lines:
            self._above.append(Text().append(start, "dim").append(Text.from_ansi(log_files.harmless(line))))

    def show_start(self, event: TaskStarted) -> None:
        row = self._row(event)
        row.state, row.try_number, row.started_at, row.ended_at = (
            "running", event.try_number, event.at, None,
        )  # fmt: skip
        row.reason = ""

    def show_task(self, event: TaskEnded) -> None:
        row = self._row(event)
        row.state, row.try_number, row.started_at, row.ended_at = (
            event.state, event.try_number, event.started_at, event.at,
        )  # fmt: skip
        row.reason = "" if event.state == "success" else render.printable(event.reason or "")

    def show_waits(self, whys: dict[str, str]) -> None:
        for key, why in whys.items():
            if row := self._rows.get(key):
                row.reason = render.printable(why)

    def show_event(self, event: EventAdded) -> None:
        self._notes = [*self._notes, f"{event.kind}: {render.printable(event.text)}"][-_NOTES:]

    def end(self, shape: dict[str, Any]) -> None:
        first, *rest = self.summary(shape)
        self._summary = [Text(first, style=render.STYLES.get(shape["state"], "")), *map(Text, rest)]

    def _row(self, event: TaskStarted | TaskEnded) -> _Row:
        row = self._rows.get(key := key_of(event))
        if row is None:
            if event.map_index >= 0:
                self._rows.pop(event.task_id, None)  # it stands for its instances until they are known
            place = (self._places.get(event.task_id, len(self._places)), event.map_index)
            row = self._rows[key] = _Row(place)
        return row

    # -- drawing, on a thread of its own: a terminal that is stopped (Ctrl-S) stops nothing else ------------

    def _draw_all(self) -> None:
        try:
            with Live(
                console=self._console,
                get_renderable=self._draw,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            ) as live:
                while not self._closing.wait(_EVERY):
                    self._print_above()
                    live.refresh()
                self._print_above()
            for line in self._summary:
                self._console.print(line)
        except OSError:
            pass  # the terminal is gone; the run goes on

    def _print_above(self) -> None:
        lines = [self._above.popleft() for _ in range(len(self._above))]
        if lines:
            self._console.print(Text("\n").join(lines), soft_wrap=True)

    def _draw(self) -> RenderableType:
        rows = sorted(self._rows.items(), key=lambda item: item[1].place)
        room = max(self._console.size.height - 5 - len(self._notes), 5)
        body = self._all(rows) if len(rows) <= room else self._digest(rows, room)
        return Group(self._title(rows), body, *(Text(note, style="yellow") for note in self._notes))

    def _title(self, rows: list[tuple[str, _Row]]) -> Text:
        done = sum(row.state in FINISHED and row.state != "up_for_retry" for _, row in rows)
        span = render.seconds(self._clock.monotonic() - self.began_at)
        name = f"{self.dag_id} {self.run.run_id}" if self.run is not None else self.dag_id
        return Text(
            f"{name}  {done:,} of {render.plural(len(rows), 'task')}  {span}", style="bold", no_wrap=True
        )

    def _all(self, rows: list[tuple[str, _Row]]) -> Table:
        table = Table.grid(padding=(0, 2))
        for key, row in rows:
            table.add_row(*self._cells(key, row))
        return table

    def _digest(self, rows: list[tuple[str, _Row]], room: int) -> Group:
        counts = Counter(row.state for _, row in rows)
        line = Text("  ").join(
            Text(f"{count:,} {state}", style=render.STYLES.get(state, "")) for state, count in counts.items()
        )
        failed = [(key, row) for key, row in rows if row.state in {"failed", "up_for_retry"}]
        running = [(key, row) for key, row in rows if row.state == "running"]
        shown = [*failed[-(room // 2) :], *running][: room - 1]
        return Group(line, self._all(shown))

    def _cells(self, key: str, row: _Row) -> list[Text]:
        until = row.ended_at if row.ended_at is not None else self._clock.now()
        span = None if row.started_at is None else until - row.started_at
        more = f"try {row.try_number}" if row.try_number > 1 else ""
        return [
            Text(row.state, style=render.STYLES.get(row.state, "")),
            Text(key, no_wrap=True, overflow="ellipsis"),
            Text(render.seconds(span), justify="right"),
            Text(" ".join(part for part in (more, row.reason) if part), no_wrap=True, overflow="ellipsis"),
        ]
