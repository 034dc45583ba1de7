"""Old runs go, so that the file stays bounded; their ticks stay counted."""

from __future__ import annotations

import sqlite3
from typing import Final

from flowlet.clock import DAY
from flowlet.store.statements import load

SQL: Final = load("prune.sql")
_STEPS: Final = ("keep_tick", "release_ticks", "delete_xcoms", "delete_attempts", "delete_tasks", "delete_run")


def prune_once(connection: sqlite3.Connection, now: int, keep_days: int, keep_runs: int) -> int:
    """Delete a bounded number of finished runs; how many."""
    before = now - keep_days * DAY
    old = connection.execute(SQL["old_runs"], {"keep_runs": keep_runs, "before": before}).fetchall()
    for step in _STEPS:
        connection.executemany(SQL[step], old)
    return len(old)
