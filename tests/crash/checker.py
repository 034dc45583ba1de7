"""Invariants of a file after the faults: reads its six views, the journal and the process list, nothing else."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from . import journal

_TERMINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
_OUTCOMES = {"succeeded", "failed", "skipped", "timed_out", "interrupted", "cancelled"}
_VIEWS = {
    "runs": "dag_id, run_id, run_type, state, logical_date, ended_at",
    "tasks": "dag_id, run_id, task_id, map_index, state, try_number, started_at, ended_at",
    "attempts": "dag_id, run_id, task_id, map_index, try_number, outcome, reason, started_at, ended_at",
    "xcoms": "dag_id, run_id, task_id, map_index, key, value",
    "ticks": "dag_id, due_at, until, count, outcome, run_id",
    "events": "kind, dag_id, run_id, task_id, map_index, try_number",
}


class Violation(NamedTuple):
    invariant: str
    what: str


class Seen:
    """What the file and the journal say."""

    def __init__(self, db: Path, journal_path: Path) -> None:
        self.facts = journal.read(journal_path)
        with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for view, columns in _VIEWS.items():
                setattr(self, view, connection.execute(f"SELECT {columns} FROM {view}").fetchall())
            self.integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            self.orphans = [tuple(row) for row in connection.execute("PRAGMA foreign_key_check")]
        self.shapes = {fact["dag"]: fact for fact in self.told("shape")}
        self.run = {(row["dag_id"], row["run_id"]): row for row in self.runs}
        self.task = {_key(row): row for row in self.tasks}
        self.tries: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in self.attempts:
            self.tries[_key(row)].append(row)

    runs: list[Any]
    tasks: list[Any]
    attempts: list[Any]
    xcoms: list[Any]
    ticks: list[Any]
    events: list[Any]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [fact for fact in self.facts if fact["kind"] == kind]


def _key(row: Any) -> tuple[Any, ...]:
    return row["dag_id"], row["run_id"], row["task_id"], row["map_index"]


def check(db: Path, journal_path: Path, *, mark: str) -> list[Violation]:
    """All violations; empty when every invariant holds. To be called when every run has had time to end."""
    seen = Seen(db, journal_path)
    found = [Violation(*pair) for rule in _RULES for pair in rule(seen)]
    return [*found, *(Violation("I11", text) for text in _leftovers(mark, str(db)))]


Found = Iterator[tuple[str, str]]


def _acknowledged(seen: Seen) -> Found:
    """I1: what was acknowledged stands."""
    for fact in seen.told("triggered"):
        if (fact["dag"], fact["run"]) not in seen.run:
            yield "I1", f"{fact['dag']}/{fact['run']} was acknowledged and is not on file"
    for fact in seen.told("ended"):
        run = seen.run.get((fact["dag"], fact["run"]))
        if run is None or run["state"] != fact["state"]:
            yield "I1", f"{fact['dag']}/{fact['run']} ended {fact['state']}; now {run and run['state']}"
        for task_id, state in fact["tasks"].items():
            row = seen.task.get((fact["dag"], fact["run"], task_id, -1))
            if row is None or row["state"] != state:
                yield "I1", f"{fact['dag']}/{fact['run']}/{task_id} ended {state}; now {row and row['state']}"


def _outcomes(seen: Seen) -> Found:
    """I2: every attempt has one outcome, and the task's state is what the last one left."""
    expected = {"success": {"succeeded"}, "failed": {"failed", "timed_out", "cancelled", "interrupted"}}
    for key, rows in seen.tries.items():
        for row in rows:
            if row["outcome"] not in _OUTCOMES or row["ended_at"] is None:
                yield "I2", f"{key} try {row['try_number']}: outcome {row['outcome']}, ended {row['ended_at']}"
            elif row["ended_at"] < row["started_at"]:
                yield "I2", f"{key} try {row['try_number']} ended before it started"
        last = max(rows, key=lambda row: row["try_number"])
        state = seen.task[key]["state"]
        if last["outcome"] not in expected.get(state, _OUTCOMES):
            yield "I2", f"{key} is {state} after an attempt that {last['outcome']}"
        if any(row["outcome"] == "succeeded" for row in rows if row is not last):
            yield "I2", f"{key} was tried again after a success"


def _attempts(seen: Seen) -> Found:
    """I3: tries count 1, 2, 3, one after the other; each body begins once, and only if its start is on file."""
    for key, unsorted in seen.tries.items():
        rows = sorted(unsorted, key=lambda row: row["try_number"])
        numbers = [row["try_number"] for row in rows]
        if numbers != list(range(1, len(rows) + 1)):
            yield "I3", f"{key} has the tries {numbers}"
        for one, other in pairwise(rows):
            if one["ended_at"] is None or other["started_at"] < one["ended_at"]:
                yield "I3", f"{key}: try {other['try_number']} started while {one['try_number']} was alive"
    for body, times in Counter(_body(fact) for fact in seen.told("began")).items():
        if times > 1:
            yield "I3", f"{body} began {times} times"
        *where, number = body
        if number not in [row["try_number"] for row in seen.tries.get((*where, -1), ())]:
            yield "I3", f"{body} began and its start is not on file"


def _body(fact: dict[str, Any]) -> tuple[Any, ...]:
    return fact["dag"], fact["run"], fact["task"], fact["number"]


def _nothing_after_the_end(seen: Seen) -> Found:
    """I3: no body of a run begins after its end was acknowledged."""
    over = set()
    for fact in seen.facts:
        if fact["kind"] == "ended":
            over.add((fact["dag"], fact["run"]))
        elif fact["kind"] == "began" and (fact["dag"], fact["run"]) in over:
            yield "I3", f"{_body(fact)} began after the end of its run was acknowledged"


def _ticks(seen: Seen) -> Found:
    """I4: each second from the first to the last tick is accounted for once; one run a date."""
    dates = Counter((row["dag_id"], row["logical_date"]) for row in seen.runs if row["logical_date"])
    yield from (("I4", f"{times} runs of {key}") for key, times in dates.items() if times > 1)
    by_dag = defaultdict(list)
    for row in seen.ticks:
        by_dag[row["dag_id"]].append((_second(row["due_at"]), _second(row["until"]), row["count"]))
    for dag_id, spans in by_dag.items():
        yield from (("I4", f"{dag_id}: {text}") for text in _gaps(sorted(spans)))
    ticked = {row["run_id"] for row in seen.ticks if row["run_id"]}
    for row in seen.runs:
        if row["run_type"] == "scheduled" and row["run_id"] not in ticked:
            yield "I4", f"{row['run_id']} has no tick"


def _gaps(spans: list[tuple[int, int, int]]) -> Iterator[str]:
    for first, last, count in spans:
        if count != last - first + 1:
            yield f"{count} ticks from {first} to {last}"
    for (_, end, _), (begin, _, _) in pairwise(spans):
        if begin != end + 1:
            yield f"{'hole' if begin > end else 'overlap'} between {end} and {begin}"


def _second(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _upstreams(seen: Seen) -> Found:
    """I5: no attempt starts before all that is upstream has ended (all rules here wait for all)."""
    for dag_id, run_id in seen.run:
        for up, down in seen.shapes[dag_id]["edges"]:
            above = seen.task[dag_id, run_id, up, -1]
            for row in seen.tries.get((dag_id, run_id, down, -1), ()):
                if above["ended_at"] is None or above["ended_at"] > row["started_at"]:
                    yield "I5", f"{dag_id}/{run_id}: {down} started before {up} had ended"


def _xcoms(seen: Seen) -> Found:
    """I7: a value is there iff the last attempt succeeded, and it is that attempt's."""
    values = {_key(row): row["value"] for row in seen.xcoms if row["key"] == "return_value"}
    for key, row in seen.task.items():
        rows, value = seen.tries.get(key, []), values.get(key)
        if (value is not None) != (row["state"] == "success" and bool(rows)):
            yield "I7", f"{key} is {row['state']} with value {value}"
        elif value is not None and seen.shapes[key[0]]["tasks"][key[2]] != "bash":
            number = max(row["try_number"] for row in rows)
            if value != str(number):
                yield "I7", f"{key}: try {number} left the value {value}"


def _integrity(seen: Seen) -> Found:
    """I9."""
    yield from (("I9", text) for text in seen.integrity if text != "ok")
    yield from (("I9", f"foreign key: {row}") for row in seen.orphans)


def _ends(seen: Seen) -> Found:
    """I10: every run has ended, with every task at an end."""
    for key, row in seen.run.items():
        if row["state"] not in ("success", "failed") or row["ended_at"] is None:
            yield "I10", f"{key} is {row['state']}"
    for key, row in seen.task.items():
        if row["state"] not in _TERMINAL:
            yield "I10", f"{key} is {row['state']}"


def _told(seen: Seen) -> Found:
    """I12: an event tells of each attempt that a crash interrupted."""
    recovered = {(*_key(row), row["try_number"]) for row in seen.events if row["kind"] == "recovered"}
    for row in seen.attempts:
        if row["outcome"] == "interrupted" and (*_key(row), row["try_number"]) not in recovered:
            yield "I12", f"{_key(row)} try {row['try_number']} was interrupted ({row['reason']}) without an event"


def _leftovers(mark: str, db: str) -> Iterator[str]:
    """I11: no process carries the file's mark any more."""
    wanted = f"{mark}={db}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield f"process {entry.name} is left: {(entry / 'cmdline').read_bytes()[:80]!r}"
        except OSError:
            continue


_RULES = (
    _acknowledged, _outcomes, _attempts, _nothing_after_the_end, _ticks, _upstreams, _xcoms, _integrity, _ends, _told,
)  # fmt: skip
