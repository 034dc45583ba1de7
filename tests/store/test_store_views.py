"""Anybody can read the file with the sqlite3 tool: the documented views, with literal rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet.clock import SystemClock, iso
from flowlet.runs.moves import AddEvent
from flowlet.store import Reader, Store
from flowlet.store.statements import expand

pytestmark = pytest.mark.anyio

NOON = 1_767_268_800_000_000
TIME = "2026-01-01T12:00:0"

VIEWS = {
    "runs": "dag_id run_id run_type state logical_date data_interval_start data_interval_end queued_at started_at"
    " ended_at conf",
    "tasks": "dag_id run_id task_id map_index state try_number operator pool queued_at started_at ended_at",
    "attempts": "dag_id run_id task_id map_index try_number outcome reason started_at ended_at",
    "xcoms": "dag_id run_id task_id map_index key value",
    "ticks": "dag_id due_at until count outcome reason run_id",
    "events": "at kind dag_id run_id task_id map_index try_number text",
    "backfills": "backfill_id dag_id state from_date to_date run_backwards reprocess_behavior max_active_runs conf"
    " created_at ended_at",
    "backfill_dates": "backfill_id dag_id ordinal logical_date run_id reason",
    "task_state_store": "dag_id run_id task_id map_index key value updated_at expires_at",
    "asset_state_store": "asset key value updated_at dag_id run_id task_id map_index",
}


@pytest.fixture
async def file(path: Path, writing: Any, anyio_backend: str) -> Path:
    """A file with a bit of everything, closed."""
    async with await Store.open(path, clock=SystemClock()) as store:
        turn = writing().dag().run(1, "manual__1", date=NOON + 123)
        turn.run(2, "scheduled__1", run_type="scheduled", due_at=NOON, queued_at=NOON + 1_000_000)
        turn.run(3, "scheduled__2", run_type="scheduled", due_at=NOON + 60_000_000, queued_at=NOON + 61_000_001)
        turn.task(1, task_id="extract").task(2, task_id="load", map_index=0).task(3, task_id="report").start(1)
        turn.tick(NOON - 9_000_000, NOON - 1_000_000, 9, "coalesced", "only the latest is run", run=2)
        turn.tick(NOON + 120_000_000, outcome="skipped", reason="paused")
        await store.commit(turn.moves)
        turn = writing().end(1, "up_for_retry", "failed", reason="boom", error="ValueError")
        turn.archive().start(1, try_number=2, expected="up_for_retry", at=NOON + 6_000_000)
        turn.settle(3, "upstream_failed", at=NOON + 7_000_000)
        await store.commit(turn.moves)
        turn = writing().end(1, try_number=2, at=NOON + 8_000_000).xcom(1, '{"rows":3}').end_run(1)
        turn.moves.add_event.append(AddEvent(NOON, "stalled", "etl", None, None, None, None, "the loop stood still"))
        await store.commit(turn.moves)
    return path


def read(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


async def test_the_views_have_exactly_the_documented_columns(file: Path) -> None:
    names = [row[0] for row in read(file, "SELECT name FROM sqlite_schema WHERE type = 'view'")]
    assert {name: " ".join(row[1] for row in read(file, f"PRAGMA table_info({name})")) for name in names} == VIEWS


async def test_runs(file: Path) -> None:
    rows = read(file, "SELECT * FROM runs")
    date = f"{TIME}0.000123Z"
    assert rows[0] == (
        "etl", "manual__1", "manual", "success", date, date, date, f"{TIME}0.000000Z", f"{TIME}0.000000Z",
        f"{TIME}9.000000Z", "{}",
    )  # fmt: skip
    assert rows[1][4:7] == (None, None, None)


async def test_tasks(file: Path) -> None:
    always = ("PythonOperator", "default_pool")
    assert read(file, "SELECT * FROM tasks") == [
        ("etl", "manual__1", "extract", -1, "success", 2, *always, f"{TIME}6.000000Z", f"{TIME}6.000000Z", f"{TIME}8.000000Z"),
        ("etl", "manual__1", "load", 0, "none", 0, *always, None, None, None),
        ("etl", "manual__1", "report", -1, "upstream_failed", 0, *always, None, None, f"{TIME}7.000000Z"),
    ]  # fmt: skip


async def test_attempts(file: Path) -> None:
    assert read(file, "SELECT * FROM attempts") == [
        ("etl", "manual__1", "extract", -1, 1, "failed", "boom", f"{TIME}0.000000Z", f"{TIME}5.000000Z"),
        ("etl", "manual__1", "extract", -1, 2, "succeeded", None, f"{TIME}6.000000Z", f"{TIME}8.000000Z"),
    ]


async def test_xcoms(file: Path) -> None:
    assert read(file, "SELECT * FROM xcoms") == [("etl", "manual__1", "extract", -1, "return_value", '{"rows":3}')]


async def test_ticks(file: Path) -> None:
    """Made at most a second after it was due: ran. Later: late."""
    one, two, three = "2026-01-01T12:00:00.000000Z", "2026-01-01T12:01:00.000000Z", "2026-01-01T12:02:00.000000Z"
    first, last = "2026-01-01T11:59:51.000000Z", "2026-01-01T11:59:59.000000Z"
    assert read(file, "SELECT * FROM ticks ORDER BY due_at") == [
        ("etl", first, last, 9, "coalesced", "only the latest is run", "scheduled__1"),
        ("etl", one, one, 1, "ran", None, "scheduled__1"),
        ("etl", two, two, 1, "late", None, "scheduled__2"),
        ("etl", three, three, 1, "skipped", "paused", None),
    ]


async def test_events(file: Path) -> None:
    assert read(file, "SELECT * FROM events") == [
        (f"{TIME}0.000000Z", "stalled", "etl", None, None, None, None, "the loop stood still")
    ]


async def test_a_reader_gives_rows_by_name(file: Path) -> None:
    with Reader(file) as reader:
        assert [row["task_id"] for row in reader.rows("tasks", run_id="manual__1", state="none")] == ["load"]
        assert [row["due_at"][11:19] for row in reader.rows("ticks", limit=2)] == ["12:01:00", "12:02:00"]
        assert reader.fetch("max_ids") == [(3, 3)]
        assert reader.owner() is None


def printed(moment: int | None) -> str | None:
    with closing(sqlite3.connect(":memory:")) as connection:
        text: str | None = connection.execute(f"SELECT {expand('{iso:m}')} FROM (SELECT ? AS m)", (moment,)).fetchone()[0]
    return text


@given(st.integers(min_value=-30_000_000_000_000_000, max_value=253_402_300_799_999_999))
def test_moments_are_printed_as_the_clock_prints_them(moment: int) -> None:
    assert printed(moment) == iso(moment)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-1_000_000, "1969-12-31T23:59:59.000000Z"),
        (-1_000_001, "1969-12-31T23:59:58.999999Z"),
        (NOON + 5, "2026-01-01T12:00:00.000005Z"),
        (None, None),
    ],
)
def test_microseconds_and_moments_before_1970_are_exact(moment: int | None, text: str | None) -> None:
    assert printed(moment) == text
