"""Old runs go, so that the file stays bounded; their ticks stay counted.

A run leaves with its task instances, attempts, XComs, rendered fields and what its tasks kept; what a task kept for a
time goes when that is over. Its tick becomes part of a span in `tick`, so
that the sum of all counts in view `ticks` is the same before and after. Of a DAG whose ticks change their
fate all the time the old spans become one row for each outcome.

A round is a row of short steps. Each looks first, which writes nothing: where there is nothing to delete
no transaction is begun.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from flowlet.clock import DAY
from flowlet.named_tuple import NamedTuple
from flowlet.store.applying import SQL as WRITE
from flowlet.store.statements import load

SQL: Final = load("prune.sql")
_ADD_TICK: Final = WRITE["add_tick"]

RUNS = 50
ROWS = 500
"""What one step deletes at most, so that a commit never waits long for it."""
WINDOW: Final = 10
"""How many runs are read at a time: mostly a few are old."""
DAGS = 100
"""How many DAGs one step looks at."""
SPANS = 1_000
"""The newest spans of a DAG are told apart, however old they are."""
CONDENSED: Final = "old ticks of this outcome in one row"
"""The reason of a row that stands for old spans; it may overlap others."""


class OldRun(NamedTuple):
    """A run that is to go, with all of its task instances or, if those are very many, the first ones."""

    id: int
    dag_id: str
    run_id: str
    due_at: int | None
    fate: str
    """What became of its tick, if it has one: ran or late."""
    tasks: list[int]
    is_whole: bool


class Batch(NamedTuple):
    """What one step deletes."""

    runs: list[OldRun]
    spans: dict[str, list[int]]
    """dag_id to spans of ticks that need not be told apart any more."""
    events: bool
    backfill: int | None = None
    """One that ended long ago: its dates go, and at last itself."""
    states: bool = False
    """What tasks kept for a time that is over by now."""

    def __bool__(self) -> bool:
        return bool(self.runs or self.spans or self.events or self.states or self.backfill is not None)


class Pruning:
    """One round of retention: `look` and `delete` by turns until nothing is `left`."""

    def __init__(self, now: int, *, keep_days: int, keep_runs: int) -> None:
        self.deleted = 0
        self.left = True
        self.now = now
        self.before = now - keep_days * DAY
        """Runs that ended earlier may go."""
        self._keep_runs = max(keep_runs, 1)
        self._dag_id = ""
        self._dag: _Dag | None = None

    def look(self, connection: sqlite3.Connection) -> Batch:
        """The next few rows to delete; perhaps none, while there still may be some left."""
        batch = Batch([], {}, events=False)
        for _ in range(DAGS):
            if self._dag is None:
                found = connection.execute(SQL["next_dag"], {"dag_id": self._dag_id}).fetchone()
                if found is None:
                    return self._look_beside(connection, batch)
                self._dag_id, queued_at = found
                self._dag = _Dag(self._dag_id, self.before, self._keep_runs, has_old_runs=queued_at < self.before)
            if self._dag.gather(connection, batch):
                break
            self._dag = None
        return batch

    def delete(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Inside a transaction. What went meanwhile, or is needed by now, is passed over."""
        going = self._still_going(connection, batch.runs)
        tasks = {"ids": json.dumps([task for run in going for task in run.tasks])}
        for name in ("delete_xcoms", "delete_rendered", "delete_task_states", "delete_attempts", "delete_tasks"):
            connection.execute(SQL[name], tasks)
        whole = [run for run in going if run.is_whole]
        connection.execute(SQL["delete_runs"], {"ids": json.dumps([run.id for run in whole])})
        ticks = [(run.dag_id, run.due_at, run.due_at, 1, run.fate, None, None) for run in whole if run.due_at is not None]
        connection.executemany(_ADD_TICK, ticks)
        self.deleted += len(whole)
        for dag_id, spans in batch.spans.items():
            ids = json.dumps(spans)
            connection.execute(SQL["condense_spans"], {"ids": ids, "dag_id": dag_id, "condensed": CONDENSED})
            connection.execute(SQL["delete_spans"], {"ids": ids})
        if batch.backfill is not None:
            given = {"backfill": batch.backfill, "limit": ROWS}
            if connection.execute(SQL["delete_backfill_dates"], given).rowcount < ROWS:
                connection.execute(SQL["delete_backfill"], {"backfill": batch.backfill})
        if batch.events or batch.states:
            given = {"limit": ROWS, "before": self.before, "now": self.now}
            names = [name for name, old in (("delete_events", batch.events), ("delete_expired", batch.states)) if old]
            self.left = ROWS in [connection.execute(SQL[name], given).rowcount for name in names]

    def _look_beside(self, connection: sqlite3.Connection, batch: Batch) -> Batch:
        """What goes by its own age, after all DAGs: backfills, then events and what tasks kept."""
        backfill = connection.execute(SQL["old_backfill"], {"before": self.before}).fetchone()
        if backfill is not None:
            return batch._replace(backfill=backfill[0])
        oldest, first = (connection.execute(SQL[name]).fetchone() for name in ("oldest_event", "first_expiry"))
        events = oldest is not None and oldest[0] < self.before
        states = first is not None and first[0] < self.now
        self.left = events or states
        return batch._replace(events=events, states=states)

    def _still_going(self, connection: sqlite3.Connection, runs: list[OldRun]) -> list[OldRun]:
        there = {row[0] for row in connection.execute(SQL["finished"], {"ids": json.dumps([run.id for run in runs])})}
        for dag_id in {run.dag_id for run in runs}:
            there -= needed(connection, dag_id)
        return [run for run in runs if run.id in there]


class _Dag:
    """What one DAG has on file, from the oldest on."""

    def __init__(self, dag_id: str, before: int, keep_runs: int, *, has_old_runs: bool) -> None:
        self._given: dict[str, Any] = {"dag_id": dag_id, "before": before}
        self._keep_runs = keep_runs
        self._has_old_runs = has_old_runs
        self._after: int | None = None
        self._needed: set[int] = set()

    def gather(self, connection: sqlite3.Connection, batch: Batch) -> bool:
        """Add what may go, as long as there is room for it in the step; False when there is nothing more."""
        if self._has_old_runs:
            if self._after is None:
                self._begin(connection)
            self._has_old_runs = self._gather_runs(connection, batch.runs)
            if self._has_old_runs:
                return True
        spans = self._old_spans(connection)
        if spans:
            batch.spans[self._given["dag_id"]] = spans
        return bool(spans)

    def _begin(self, connection: sqlite3.Connection) -> None:
        given = {"dag_id": self._given["dag_id"], "keep_runs": self._keep_runs}
        oldest = connection.execute(SQL["oldest_kept"], given).fetchone()
        self._given["oldest_kept"] = oldest[0] if oldest else 0
        self._needed = needed(connection, self._given["dag_id"])
        self._after = 0

    def _gather_runs(self, connection: sqlite3.Connection, runs: list[OldRun]) -> bool:
        room = ROWS - sum(len(run.tasks) for run in runs)
        while len(runs) < RUNS:
            found = connection.execute(SQL["runs_from"], {**self._given, "after": self._after, "limit": WINDOW}).fetchall()
            for run, dag_id, run_id, due_at, fate, may_go, _ in found:
                if may_go and run not in self._needed:
                    tasks = [row[0] for row in connection.execute(SQL["tasks_of"], {"run": run, "limit": room + 1})]
                    if len(tasks) > room and runs:
                        return True  # the next step takes it
                    runs.append(OldRun(run, dag_id, run_id, due_at, fate, tasks[:room], len(tasks) <= room))
                    room -= len(tasks)
                    if room < 0:
                        return True  # and the next step the rest of it
                self._after = run
                if len(runs) >= RUNS:
                    return True
            if not any(is_old for *_, is_old in found):
                return False
        return True

    def _old_spans(self, connection: sqlite3.Connection) -> list[int]:
        dag_id = self._given["dag_id"]
        oldest = connection.execute(SQL["oldest_span_kept"], {"dag_id": dag_id, "keep_spans": SPANS}).fetchone()
        if oldest is None:
            return []
        given = {
            "dag_id": dag_id, "before": self._given["before"], "oldest_kept": oldest[0], "condensed": CONDENSED,
            "limit": ROWS,
        }  # fmt: skip
        return [row[0] for row in connection.execute(SQL["old_spans"], given)]


def needed(connection: sqlite3.Connection, dag_id: str) -> set[int]:
    """The runs of a DAG that stay whatever their age."""
    return {row[0] for row in connection.execute(SQL["needed"], {"dag_id": dag_id})}
