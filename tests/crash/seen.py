"""What a file and the journal beside it say, for the checker: read from the six views, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from . import journal

_VIEWS = {
    "runs": "dag_id, run_id, run_type, state, logical_date, started_at, ended_at, conf",
    "tasks": "dag_id, run_id, task_id, map_index, state, try_number, started_at, ended_at",
    "attempts": "dag_id, run_id, task_id, map_index, try_number, outcome, reason, started_at, ended_at",
    "xcoms": "dag_id, run_id, task_id, map_index, key, value",
    "ticks": "dag_id, due_at, until, count, outcome, run_id",
    "events": "kind, dag_id, run_id, task_id, map_index, try_number",
}
CRASHED = "the process that ran it went away"

Key = tuple[Any, ...]


class Seen:
    """The rows, and the facts that were acknowledged."""

    runs: list[Any]
    tasks: list[Any]
    attempts: list[Any]
    xcoms: list[Any]
    ticks: list[Any]
    events: list[Any]

    def __init__(self, db: Path, journal_path: Path) -> None:
        self.facts = journal.read(journal_path)
        with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for view, columns in _VIEWS.items():
                setattr(self, view, connection.execute(f"SELECT {columns} FROM {view}").fetchall())
            self.integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            self.orphans = [tuple(row) for row in connection.execute("PRAGMA foreign_key_check")]
        self.shapes = {fact["dag"]: fact for fact in self.told("shape")}
        self.clears = Counter((fact["dag"], fact["run"]) for fact in self.told("clearing"))
        """How often somebody asked to clear a run, whether or not that came to pass: what had ended there did not stay."""
        self.run = {(row["dag_id"], row["run_id"]): row for row in self.runs}
        self.task = {key_of(row): row for row in self.tasks}
        self.tries: dict[Key, list[Any]] = defaultdict(list)
        for row in sorted(self.attempts, key=lambda row: row["try_number"]):
            self.tries[key_of(row)].append(row)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The facts of one kind."""
        return [fact for fact in self.facts if fact["kind"] == kind]

    def shape(self, key: Key) -> dict[str, Any]:
        """What the workload says of a task."""
        shape: dict[str, Any] = self.shapes[key[0]]["tasks"][key[2]]
        return shape

    @property
    def acknowledged(self) -> int:
        """How many transitions somebody was told of."""
        ended = self.told("ended")
        return len(self.told("triggered")) + len(self.told("cancelled")) + len(ended) + sum(len(fact["tasks"]) for fact in ended)


def key_of(row: Any) -> Key:
    return row["dag_id"], row["run_id"], row["task_id"], row["map_index"]


def micros(moment: str) -> int:
    """A moment as the views print it."""
    whole = datetime.fromisoformat(moment)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond


def most_at_once(spans: Iterable[tuple[str, str | None]]) -> int:
    """How many of the spans overlap at most; where one ends another may begin."""
    steps = []
    for begin, end in spans:
        steps += [(begin, 1), (end or "9", -1)]
    now = most = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def same_json(text: str, value: Any) -> bool:
    return bool(json.loads(text) == value)
