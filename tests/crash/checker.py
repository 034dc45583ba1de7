"""Invariants of a file after the faults: reads its six views, the journal and the process list, nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.scheduler import rule_oracle

from . import workload
from .seen import CRASHED, Key, Seen, key_of, micros, most_at_once, same_json

_TERMINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
_OUTCOMES = {"succeeded", "failed", "skipped", "timed_out", "interrupted", "cancelled"}
_VALUES = ("coroutine", "thread", "bash")
"""Kinds of tasks whose success leaves a value."""
MOST_CRASHES = 3


class Violation(NamedTuple):
    invariant: str
    what: str


class Report(NamedTuple):
    violations: list[Violation]
    acknowledged: int


def check(db: Path, journal_path: Path, *, mark: str) -> Report:
    """All violations; none when every invariant holds. To be called when every run has had time to end."""
    seen = Seen(db, journal_path)
    found = [Violation(*pair) for rule in _RULES for pair in rule(seen)]
    return Report([*found, *(Violation("I11", text) for text in _leftovers(mark, str(db)))], seen.acknowledged)


Found = Iterator[tuple[str, str]]


def _acknowledged(seen: Seen) -> Found:
    """I1: what was acknowledged stands."""
    for fact in seen.told("triggered"):
        run = seen.run.get((fact["dag"], fact["run"]))
        if run is None or not same_json(run["conf"], fact["conf"]):
            yield "I1", f"{fact['dag']}/{fact['run']} was acknowledged and is not on file as it was"
    acknowledged = Counter((fact["dag"], fact["run"]) for fact in seen.told("cleared"))
    on_file = Counter((row["dag_id"], row["run_id"]) for row in seen.events if row["kind"] == "cleared")
    for key, times in acknowledged.items():
        if on_file[key] < times:
            yield "I1", f"{key} was cleared {times} times, {on_file[key]} of them are on file"
    for fact in (*seen.told("ended"), *seen.told("cancelled")):
        if (fact["dag"], fact["run"]) in seen.clears and (fact["dag"], fact["run"]) in seen.run:
            continue  # it began again, or may have
        run = seen.run.get((fact["dag"], fact["run"]))
        if run is None or run["state"] != fact["state"]:
            yield "I1", f"{fact['dag']}/{fact['run']} {fact['kind']} as {fact['state']}; now {run and run['state']}"
        for task_id, state in fact.get("tasks", {}).items():
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
        state = seen.task[key]["state"]
        if rows[-1]["outcome"] not in expected.get(state, _OUTCOMES):
            yield "I2", f"{key} is {state} after an attempt that {rows[-1]['outcome']}"
        if [row["outcome"] for row in rows[:-1]].count("succeeded") > seen.clears[key[:2]]:
            yield "I2", f"{key} was tried again after a success"


def _retries(seen: Seen) -> Found:
    """I2: only failures use up retries, and three crashes in a task's place are its end; a clear gives them all again."""
    for key, rows in seen.tries.items():
        outcomes = [row["outcome"] for row in rows]
        failures, retries = outcomes.count("failed"), seen.shapes[key[0]]["retries"]
        lives = 1 + seen.clears[key[:2]]
        if failures > lives * (retries + 1) or (seen.task[key]["state"] == "failed" and outcomes[-1] == "failed" and failures <= retries):
            yield "I2", f"{key} failed for good after {failures} failures with {retries} retries: {outcomes}"
        crashes = [row for row in rows if row["outcome"] == "interrupted" and _is_crash(row)]
        if len(crashes) > lives * MOST_CRASHES:
            yield "I2", f"{key} was tried again after {len(crashes) - 1} crashes"


def _is_crash(row: Any) -> bool:
    return (row["reason"] or "").startswith((CRASHED, "took the process down"))


def _attempts(seen: Seen) -> Found:
    """I3: tries count 1, 2, 3, one after the other; each body begins once, and only if its start is on file."""
    for key, rows in seen.tries.items():
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


def _body(fact: dict[str, Any]) -> Key:
    return fact["dag"], fact["run"], fact["task"], fact["number"]


def _nothing_after_the_end(seen: Seen) -> Found:
    """I3: no body of a run begins after its end was acknowledged, but for a thread that was given up."""
    given_up = {(*key_of(row)[:3], row["try_number"]) for row in seen.attempts if row["outcome"] == "cancelled"}
    over = set()
    for fact in seen.facts:
        if fact["kind"] in ("ended", "cancelled"):
            over.add((fact["dag"], fact["run"]))
        elif fact["kind"] == "began" and (fact["dag"], fact["run"]) in over - seen.clears.keys():
            thread = seen.shape(_body(fact))["kind"] == "thread" and _body(fact) in given_up
            if not thread:
                yield "I3", f"{_body(fact)} began after the end of its run was acknowledged"


def _ticks(seen: Seen) -> Found:
    """I4: each tick from the first to the last is accounted for once; one run a date."""
    dates = Counter((row["dag_id"], row["logical_date"]) for row in seen.runs if row["logical_date"])
    yield from (("I4", f"{times} runs of {key}") for key, times in dates.items() if times > 1)
    by_dag = defaultdict(list)
    for row in seen.ticks:
        by_dag[row["dag_id"]].append((micros(row["due_at"]), micros(row["until"]), row["count"]))
    for dag_id, spans in by_dag.items():
        yield from (("I4", f"{dag_id}: {text}") for text in _gaps(sorted(spans), workload.PERIODS[dag_id]))
    ticked = {(row["dag_id"], row["run_id"]) for row in seen.ticks if row["run_id"]}
    for row in seen.runs:
        if row["run_type"] == "scheduled" and (row["dag_id"], row["run_id"]) not in ticked:
            yield "I4", f"{row['run_id']} has no tick"


def _gaps(spans: list[tuple[int, int, int]], period: int) -> Iterator[str]:
    for first, last, count in spans:
        if (count - 1) * period != last - first:
            yield f"{count} ticks from {first} to {last}"
    for (_, end, _), (begin, _, _) in pairwise(spans):
        if begin != end + period:
            yield f"{'hole' if begin > end else 'overlap'} between {end} and {begin}"


def _upstreams(seen: Seen) -> Found:
    """I5: at the first start of a task its rule let it run, by what had ended until then. (Of a cleared run the views
    tell only of its last life.)"""
    for key, rows in [(key, rows) for key, rows in seen.tries.items() if key[:2] not in seen.clears]:
        shape = seen.shape(key)
        above = [seen.task[*key[:2], up, -1] for up in shape["up"]]
        ended = [row["state"] if (row["ended_at"] or "9") <= rows[0]["started_at"] else "running" for row in above]
        if rule_oracle.verdict(shape["rule"], rule_oracle.letters(ended)) != "run":
            yield "I5", f"{key} started by {shape['rule']} with upstreams {ended}"


def _limits(seen: Seen) -> Found:
    """I6: never more at once than a pool, a run's max_active_tasks or a DAG's max_active_runs allow."""
    held = {key: rows for key, rows in seen.tries.items() if seen.shape(key)["kind"] != "reschedule"}
    pooled = [row for key, rows in held.items() if seen.shape(key)["pool"] == workload.POOL for row in rows]
    if (most := _most(pooled)) > workload.SLOTS:
        yield "I6", f"{most} attempts in a pool of {workload.SLOTS}"
    by_run, by_dag = defaultdict(list), defaultdict(list)
    for key, rows in held.items():
        by_run[key[:2]] += rows
    for (dag_id, run_id), rows in by_run.items():
        if (most := _most(rows)) > seen.shapes[dag_id]["max_active_tasks"]:
            yield "I6", f"{most} attempts at once in {dag_id}/{run_id}"
    for run in seen.runs:
        if run["started_at"] is not None:
            by_dag[run["dag_id"]].append(run)
    for dag_id, runs in by_dag.items():
        if (most := _most(runs)) > seen.shapes[dag_id]["max_active_runs"]:
            yield "I6", f"{most} runs of {dag_id} at once"


def _most(rows: list[Any]) -> int:
    return most_at_once((row["started_at"], row["ended_at"]) for row in rows)


def _xcoms(seen: Seen) -> Found:
    """I7: a value is there iff the last attempt succeeded, and it is that attempt's; and so it was read."""
    values = {key_of(row): row["value"] for row in seen.xcoms if row["key"] == "return_value"}
    for key, row in seen.task.items():
        kind, value, rows = seen.shape(key)["kind"], values.get(key), seen.tries.get(key, [])
        if value is not None and row["state"] != "success" and key[:2] not in seen.clears:
            yield "I7", f"{key} is {row['state']} with value {value}"
        elif kind in _VALUES and row["state"] == "success" and value is None:
            yield "I7", f"{key} is a success without its value"
        elif kind in ("coroutine", "thread") and value is not None and value != str(rows[-1]["try_number"]):
            yield "I7", f"{key}: try {rows[-1]['try_number']} left the value {value}"
    for fact in [fact for fact in seen.told("read") if (fact["dag"], fact["run"]) not in seen.clears]:
        yield from _was_read(seen, values, fact)


def _was_read(seen: Seen, values: dict[Key, str], fact: dict[str, Any]) -> Found:
    """An attempt sees the values of those who had succeeded when it started."""
    above = fact["dag"], fact["run"], fact["up"], -1
    reader = {row["try_number"]: row for row in seen.tries.get((fact["dag"], fact["run"], fact["task"], -1), ())}
    row, start = seen.task[above], reader[fact["number"]]["started_at"] if fact["number"] in reader else ""
    was_there = row["state"] == "success" and (row["ended_at"] or "9") <= start and seen.shape(above)["kind"] in _VALUES
    if was_there and not same_json(values.get(above, "null"), fact["value"]):
        yield "I7", f"{_body(fact)} read {fact['value']!r} of {fact['up']}, which left {values.get(above)}"


def _integrity(seen: Seen) -> Found:
    """I9."""
    yield from (("I9", text) for text in seen.integrity if text != "ok")
    yield from (("I9", f"foreign key: {row}") for row in seen.orphans)


def _ends(seen: Seen) -> Found:
    """I10: every run has ended, with every task at an end."""
    for run_key, row in seen.run.items():
        if row["state"] not in ("success", "failed") or row["ended_at"] is None:
            yield "I10", f"{run_key} is {row['state']}"
    for key, row in seen.task.items():
        if row["state"] not in _TERMINAL:
            yield "I10", f"{key} is {row['state']}"


def _told(seen: Seen) -> Found:
    """I12: an event tells of each attempt that a crash interrupted."""
    recovered = {(*key_of(row), row["try_number"]) for row in seen.events if row["kind"] == "recovered"}
    for row in seen.attempts:
        if row["outcome"] == "interrupted" and _is_crash(row) and (*key_of(row), row["try_number"]) not in recovered:
            yield "I12", f"{key_of(row)} try {row['try_number']} was interrupted ({row['reason']}) without an event"


def _leftovers(mark: str, db: str) -> Iterator[str]:
    """I11: no process carries the file's mark any more."""
    for pid in marked(mark, db):
        yield f"process {pid} is left: {(Path('/proc') / str(pid) / 'cmdline').read_bytes()[:80]!r}"


def marked(mark: str, db: str) -> list[int]:
    """Processes with the file's mark in their environment."""
    wanted, found = f"{mark}={db}".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


_RULES = (
    _acknowledged, _outcomes, _retries, _attempts, _nothing_after_the_end, _ticks, _upstreams, _limits, _xcoms,
    _integrity, _ends, _told,
)  # fmt: skip
