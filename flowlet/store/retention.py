"""Old runs go, so that the file stays bounded; their ticks stay counted.

A run leaves with its task instances, attempts and XComs. Its tick becomes part of a span in `tick`, so
that the sum of all counts in view `ticks` is the same before and after.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from flowlet.clock import DAY
from flowlet.store.applying import SQL as WRITE
from flowlet.store.statements import load

SQL: Final = load("prune.sql")
_ADD_TICK: Final = WRITE["add_tick"]

RUNS = 100
ROWS = 1_000
"""What one transaction deletes at most, so that a commit never waits long for it."""


class Pruning:
    """One round of retention: `step` until it says that nothing is left."""

    def __init__(self, now: int, *, keep_days: int, keep_runs: int) -> None:
        self.deleted = 0
        self._before = now - keep_days * DAY
        self._keep_runs = max(keep_runs, 1)
        self._dags: Iterator[str] | None = None
        self._dag: _Dag | None = None

    def step(self, connection: sqlite3.Connection) -> bool:
        """Delete a bounded number of rows; whether there may be more."""
        if self._dags is None:
            self._dags = iter([row[0] for row in connection.execute(SQL["dags"])])
        if self._dag is None:
            dag_id = next(self._dags, None)
            if dag_id is None:
                given = {"limit": ROWS, "before": self._before}
                return connection.execute(SQL["delete_events"], given).rowcount == ROWS
            self._dag = _Dag(connection, dag_id, self._keep_runs)
        deleted, more = self._dag.step(connection, self._before)
        self.deleted += deleted
        if not more:
            self._dag = None
        return True


class _Dag:
    """The runs of one DAG, from the oldest on."""

    def __init__(self, connection: sqlite3.Connection, dag_id: str, keep_runs: int) -> None:
        self._dag_id = dag_id
        given = {"dag_id": dag_id, "keep_runs": keep_runs}
        oldest = connection.execute(SQL["oldest_kept"], given).fetchone()
        self._oldest_kept = oldest[0] if oldest else 0
        self._needed = {row[0] for row in connection.execute(SQL["needed"], {"dag_id": dag_id})}
        self._after = 0

    def step(self, connection: sqlite3.Connection, before: int) -> tuple[int, bool]:
        """(runs deleted, whether there may be more)."""
        given = {
            "dag_id": self._dag_id, "after": self._after, "oldest_kept": self._oldest_kept, "before": before,
            "limit": RUNS,
        }  # fmt: skip
        old = connection.execute(SQL["old_runs"], given).fetchall()
        room, deleted = ROWS, 0
        for row in old:
            if row[0] not in self._needed:
                room -= _empty(connection, row[0], room)
                if room <= 0:
                    return deleted, True
                self._delete(connection, row)
                deleted += 1
            self._after = row[0]
        return deleted, len(old) == RUNS

    def _delete(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
        run, due_at, fate = row
        connection.execute(SQL["delete_run"], {"run": run})
        if due_at is not None:
            connection.execute(_ADD_TICK, (self._dag_id, due_at, due_at, 1, fate, None, None))


def _empty(connection: sqlite3.Connection, run: int, limit: int) -> int:
    """Delete at most `limit` task instances of a run, with all that hangs on them; how many."""
    given = {"run": run, "limit": limit}
    connection.execute(SQL["delete_xcoms"], given)
    connection.execute(SQL["delete_attempts"], given)
    return connection.execute(SQL["delete_tasks"], given).rowcount
