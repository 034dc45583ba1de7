"""What must hold after any crash, read from the documented views and the journal alone."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path


def violations(db: Path, log: Path) -> list[str]:
    """Sentences about what is broken; empty when all holds."""
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    try:
        return [*_integrity(connection), *_acknowledged(connection, log), *_attempts(connection), *_ticks(connection)]
    finally:
        connection.close()


def _integrity(db: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    found += [f"foreign key {row}" for row in db.execute("PRAGMA foreign_key_check")]
    return found + [f"{row} has not ended" for row in db.execute("SELECT dag_id, run_id, state FROM runs WHERE state IN ('queued', 'running')")]


def _acknowledged(db: sqlite3.Connection, log: Path) -> list[str]:
    states = dict(db.execute("SELECT run_id, state FROM runs WHERE dag_id = 'work'"))
    lines = [line.split() for line in log.read_text().splitlines()]
    found = [f"acknowledged trigger {w[1]} is lost" for w in lines if w[0] == "triggered" and w[1] not in states]
    found += [f"acknowledged end of {w[1]} is {states.get(w[1])}" for w in lines if w[0] == "ended" and states.get(w[1]) != w[2]]
    bodies = Counter(tuple(w[1:]) for w in lines if w[0] == "body")
    found += [f"attempt {attempt} was started {count} times" for attempt, count in bodies.items() if count > 1]
    known = {(r, t, str(n)) for r, t, n in db.execute("SELECT run_id, task_id, try_number FROM attempts")}
    return found + [f"attempt {attempt} ran and is not on file" for attempt in bodies if attempt not in known]


def _attempts(db: sqlite3.Connection) -> list[str]:
    tries: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for dag, run, task, number, outcome in db.execute("SELECT dag_id, run_id, task_id, try_number, outcome FROM attempts ORDER BY try_number"):
        tries.setdefault((dag, run, task), []).append((number, outcome))
    found = []
    for key, numbered in tries.items():
        if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)):
            found.append(f"{key}: tries {numbered} are not contiguous")
        if sum(outcome == "succeeded" for _, outcome in numbered) > 1:
            found.append(f"{key} succeeded twice")
        if any(outcome is None for _, outcome in numbered):
            found.append(f"{key} has an attempt without an end: {numbered}")
    explained = set(db.execute("SELECT dag_id, run_id, task_id, try_number FROM events WHERE kind = 'recovered'"))
    interrupted = db.execute("SELECT dag_id, run_id, task_id, try_number FROM attempts WHERE outcome = 'interrupted' AND reason NOT LIKE '%stopped%'")
    return found + [f"no event explains the interrupted attempt {row}" for row in interrupted if row not in explained]


def _ticks(db: sqlite3.Connection) -> list[str]:
    """Every second from the first tick to the last is accounted for, once."""
    first, last, total = db.execute(
        "SELECT strftime('%s', min(due_at)), strftime('%s', max(until)), sum(count) FROM ticks WHERE dag_id = 'seconds'"
    ).fetchone()
    if total is None or total == int(last) - int(first) + 1:
        return []
    return [f"{total} ticks are accounted for in {int(last) - int(first) + 1} seconds"]
