"""Every statement compiles, and none that runs often looks at all of history."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from flowlet.store import applying, fitness
from flowlet.store.statements import load

FILES = ("write.sql", "read.sql", "fitness.sql", "prune.sql", "check.sql")
STATEMENTS = [(f"{file}:{name}", sql) for file in FILES for name, sql in load(file).items()]

#: They give a summary of everything, or are asked once, at start or by a person.
LOOKS_AT_ALL = {"dags", "newest_logical_dates", "pools", "owner", "run_counts", "last_runs_of_all", "last_events", "last_backfills", "last_moment"}


@pytest.fixture(scope="module")
def schema() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    fitness.migrate(connection, ":memory:")
    yield connection
    connection.close()


def plan(schema: sqlite3.Connection, sql: str) -> list[str]:
    names = re.findall(r":(\w+)", sql)
    count = max([int(number) for number in re.findall(r"\?(\d+)", sql)], default=len(re.findall(r"\?", sql)))
    given = dict.fromkeys(names) if names else (None,) * count
    return [row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {sql}", given)]


def scans(schema: sqlite3.Connection, sql: str) -> list[str]:
    """The steps that walk through a whole table."""
    steps = [step for step in plan(schema, sql) if step.startswith("SCAN")]
    return [step for step in steps if not re.search(r"INDEX|subquery|CONSTANT ROW|SCAN last", step)]


@pytest.mark.parametrize("sql", [sql for _, sql in STATEMENTS], ids=[name for name, _ in STATEMENTS])
def test_every_statement_compiles(schema: sqlite3.Connection, sql: str) -> None:
    plan(schema, sql)


@pytest.mark.parametrize("name", sorted(load("read.sql").keys() - LOOKS_AT_ALL))
def test_a_query_finds_its_rows_by_an_index(schema: sqlite3.Connection, name: str) -> None:
    assert scans(schema, load("read.sql")[name]) == []


@pytest.mark.parametrize("name", sorted(load("write.sql").keys() - {"begin", "commit", "advance"}))
def test_a_move_finds_its_row_by_an_index(schema: sqlite3.Connection, name: str) -> None:
    assert scans(schema, load("write.sql")[name]) == []


@pytest.mark.parametrize("slot", ["end_task", "settle_task", "start_task"])
def test_what_is_done_to_many_rows_at_once_finds_them_by_their_ids(schema: sqlite3.Connection, slot: str) -> None:
    (many,) = [many for rows_of, _, _, many, _ in applying._STEPS if rows_of.__reduce__()[1] == (slot,)]
    assert "json_each" in many
    assert [step for step in scans(schema, many) if "json_each" not in step] == []


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM runs WHERE dag_id = 'd' AND run_id = 'r'", "sqlite_autoindex_run_1"),
        ("SELECT * FROM tasks WHERE dag_id = 'd' AND run_id = 'r'", "sqlite_autoindex_task_instance_1"),
        ("SELECT * FROM xcoms WHERE dag_id = 'd' AND run_id = 'r' AND task_id = 't'", "sqlite_autoindex_task_instance_1"),
        ("SELECT sum(count) FROM ticks WHERE dag_id = 'd'", "run_due"),
        ("SELECT * FROM events WHERE dag_id = 'd' AND run_id = 'r'", "event_of_run"),
    ],
)
def test_a_view_asked_for_one_thing_uses_the_index(schema: sqlite3.Connection, sql: str, index: str) -> None:
    assert any(index in step for step in plan(schema, sql))


def test_each_view_says_what_it_is_for() -> None:
    text = (fitness.HERE / "migrations" / "001.sql").read_text(encoding="utf-8")
    for view in ("runs", "tasks", "attempts", "xcoms", "ticks", "events"):
        assert re.search(rf"^-- .*\nCREATE VIEW {view} ", text, re.MULTILINE), view
