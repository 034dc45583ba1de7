"""Old runs go, so that the file stays bounded; their ticks stay counted.

A run leaves with its task instances, attempts and XComs. Its tick becomes part of a span in `tick`, so
that the sum of all counts in view `ticks` is the same before and after.

A round is a row of short steps. Each looks first, which writes nothing: where there is nothing to delete
no transaction is begun.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final, NamedTuple

from flowlet.clock import DAY
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
    events: bool

    def __bool__(self) -> bool:
        return bool(self.runs) or self.events


class Pruning:
    """One round of retention: `look` and `delete` by turns until nothing is `left`."""

    def __init__(self, now: int, *, keep_days: int, keep_runs: int) -> None:
        self.deleted = 0
        self.left = True
        self.before = now - keep_days * DAY
        """Runs that ended earlier may go."""
        self._keep_runs = max(keep_runs, 1)
        self._dag_id = ""
        self._dag: _Dag | None = None

    def look(self, connection: sqlite3.Connection) -> Batch:
        """The next few rows to delete; perhaps none, while there still may be some left."""
        runs: list[OldRun] = []
        for _ in range(DAGS):
            if self._dag is None:
                found = connection.execute(SQL["next_dag"], {"dag_id": self._dag_id}).fetchone()
                if found is None:
                    return self._look_at_events(connection, runs)
                self._dag_id, oldest = found
                if oldest >= self.before:
                    continue
                self._dag = _Dag(connection, self._dag_id, self.before, self._keep_runs)
            if self._dag.gather(connection, runs):
                break
            self._dag = None
        return Batch(runs, events=False)

    def delete(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Inside a transaction. What went meanwhile, or is needed by now, is passed over."""
        going = self._still_going(connection, batch.runs)
        tasks = {"ids": json.dumps([task for run in going for task in run.tasks])}
        for name in ("delete_xcoms", "delete_attempts", "delete_tasks"):
            connection.execute(SQL[name], tasks)
        whole = [run for run in going if run.is_whole]
        connection.execute(SQL["delete_runs"], {"ids": json.dumps([run.id for run in whole])})
        ticks = [(run.dag_id, run.due_at, run.due_at, 1, run.fate, None, None) for run in whole if run.due_at is not None]
        connection.executemany(_ADD_TICK, ticks)
        self.deleted += len(whole)
        if batch.events:
            given = {"limit": ROWS, "before": self.before}
            self.left = connection.execute(SQL["delete_events"], given).rowcount == ROWS

    def _look_at_events(self, connection: sqlite3.Connection, runs: list[OldRun]) -> Batch:
        oldest = connection.execute(SQL["oldest_event"]).fetchone()
        self.left = oldest is not None and oldest[0] < self.before
        return Batch(runs, events=self.left)

    def _still_going(self, connection: sqlite3.Connection, runs: list[OldRun]) -> list[OldRun]:
        there = {row[0] for row in connection.execute(SQL["finished"], {"ids": json.dumps([run.id for run in runs])})}
        for dag_id in {run.dag_id for run in runs}:
            there -= needed(connection, dag_id)
        return [run for run in runs if run.id in there]


class _Dag:
    """The runs of one DAG, from the oldest on."""

    def __init__(self, connection: sqlite3.Connection, dag_id: str, before: int, keep_runs: int) -> None:
        oldest = connection.execute(SQL["oldest_kept"], {"dag_id": dag_id, "keep_runs": keep_runs}).fetchone()
        self._given: dict[str, Any] = {"dag_id": dag_id, "before": before, "oldest_kept": oldest[0] if oldest else 0}
        self._needed = needed(connection, dag_id)
        self._after = 0

    def gather(self, connection: sqlite3.Connection, runs: list[OldRun]) -> bool:
        """Add runs that may go, as long as there is room for them in the step; False when there are no more."""
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


def needed(connection: sqlite3.Connection, dag_id: str) -> set[int]:
    """The runs of a DAG that stay whatever their age."""
    return {row[0] for row in connection.execute(SQL["needed"], {"dag_id": dag_id})}
