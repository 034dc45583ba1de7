"""The file stays bounded and no tick is forgotten; spans join; a backup is complete or absent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.clock import DAY, SystemClock
from flowlet.errors import StoreError, StoreFaulty
from flowlet.runs.moves import AddEvent, Moves
from flowlet.store import Store, fitness, retention
from flowlet.store.applying import SQL
from flowlet.store.copying import problems_of

pytestmark = pytest.mark.anyio

NOON = 1_767_268_800_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND


async def history(store: Store, writing: Any, runs: int, *, dag_id: str = "etl", first: int = 1) -> None:
    """Minutely scheduled runs, each with one task that succeeded at its second try, and its XCom."""
    begin, middle, end = writing().dag(dag_id), writing(), writing()
    for row in range(first, first + runs):
        due = NOON + row * MINUTE
        begin.run(row, dag_id=dag_id, run_type="scheduled", date=due, due_at=due, queued_at=due + (row % 5 == 0) * 2 * SECOND)
        begin.task(row, row).start(row)
        middle.end(row, "up_for_retry", "failed").archive(row).start(row, try_number=2, expected="up_for_retry")
        end.end(row, try_number=2).xcom(row).rendered(row).end_run(row, at=due + SECOND)
    for turn in (begin, middle, end):
        assert await store.commit(turn.moves) == []


async def counts(store: Store) -> dict[str, int]:
    return {row[0]: row[1] for row in await store.fetch("ticks_summary", dag_id="etl")}


async def test_old_runs_go_with_all_that_is_theirs(store: Store, writing: Any) -> None:
    await history(store, writing, 20)
    before = await counts(store)
    assert before == {"late": 4, "ran": 16}
    assert await store.prune(NOON + 91 * DAY, keep_days=90, keep_runs=5) == 15
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [20, 19, 18, 17, 16]
    for name in ("attempts_of_run", "tasks_of_run", "xcoms_of_run", "rendered_of_run"):
        assert [len(await store.fetch(name, run=run)) > 0 for run in (1, 15, 16)] == [False, False, True]
    assert await counts(store) == before
    assert await store.check() == []


async def test_pruned_ticks_of_one_fate_are_one_span(store: Store, writing: Any) -> None:
    await history(store, writing, 12)
    await store.prune(NOON + 91 * DAY, keep_runs=1)
    spans = await store.fetch("last_ticks", dag_id="etl", limit=99)
    assert [(row[3], row[2]) for row in reversed(spans)] == [("ran", 4), ("late", 1), ("ran", 4), ("late", 1), ("ran", 1), ("ran", 1)]
    assert spans[0][5] == "run_12"


async def test_young_runs_stay(store: Store, writing: Any) -> None:
    await history(store, writing, 8)
    assert await store.prune(NOON + 5 * MINUTE + SECOND + DAY, keep_days=1, keep_runs=2) == 4


@pytest.mark.parametrize("keep_runs", [0, 1])
async def test_the_newest_run_and_the_cursor_stay_for_ever(store: Store, writing: Any, keep_runs: int) -> None:
    await history(store, writing, 5)
    await store.commit(writing().dag(cursor=NOON + 5 * MINUTE).moves)
    assert await store.prune(NOON + 999 * DAY, keep_days=0, keep_runs=keep_runs) == 4
    assert await store.fetch("max_ids") == [(5, 5)]
    assert (await store.fetch("dag", dag_id="etl"))[0][4] == NOON + 5 * MINUTE


async def test_active_runs_and_those_they_look_back_at_stay(store: Store, writing: Any) -> None:
    await history(store, writing, 6)
    turn = writing().run(7, date=NOON + 3 * MINUTE + SECOND)  # of an older date: it looks back at run 3
    turn.run(8, date=NOON - MINUTE, state="queued").run(9)
    await store.commit(turn.moves)
    await store.commit(writing().end_run(9).moves)
    await store.prune(NOON + 999 * DAY, keep_runs=1)
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [9, 8, 7, 6, 3]


async def test_each_dag_keeps_its_own(store: Store, writing: Any) -> None:
    await history(store, writing, 6)
    await history(store, writing, 2, dag_id="other", first=7)
    await store.prune(NOON + 999 * DAY, keep_runs=2)
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [8, 7, 6, 5]


async def test_what_is_told_to_go_goes_and_what_stays_is_not_told(store: Store, writing: Any) -> None:
    """Logs are deleted by it: a run that stays keeps its own."""
    await history(store, writing, 6)
    await store.commit(writing().run(7, date=NOON + 3 * MINUTE + SECOND).moves)  # it looks back at run 3
    told: list[tuple[str, str]] = []

    async def forget(runs: list[tuple[str, str]]) -> None:
        told.extend(runs)

    assert await store.prune(NOON + 999 * DAY, keep_runs=1, forget=forget) == 4
    assert told == [("etl", f"run_{row}") for row in (1, 2, 4, 5)]


async def test_a_run_that_is_needed_since_it_was_looked_at_stays(store: Store, writing: Any) -> None:
    await history(store, writing, 6)

    async def forget(_: list[tuple[str, str]]) -> None:
        if not await store.fetch("run_by_id", id=7):
            await store.commit(writing().run(7, date=NOON + 3 * MINUTE + SECOND).moves)

    await store.prune(NOON + 999 * DAY, keep_runs=1, forget=forget)
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [7, 6, 3]
    assert await counts(store) == {"late": 1, "ran": 5}


async def test_two_rounds_at_once_count_no_tick_twice(store: Store, writing: Any) -> None:
    """Somebody asks for it while the engine does it by itself."""
    await history(store, writing, 20)
    before = await counts(store)
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(store.prune, NOON + 999 * DAY, 0, 1)
    assert await counts(store) == before
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [20]
    assert await store.check() == []


@pytest.mark.parametrize("late", [False, True], ids=["instead", "after"])
async def test_an_error_at_any_statement_of_it_loses_no_tick(path: Path, writing: Any, trouble: Any, late: bool) -> None:
    """The step is undone as a whole, or stands as a whole; the next round does the rest."""
    statements = 1
    for at in range(1, 40):
        async with await Store.open(path.with_name(f"{at}.db"), durability="process", clock=SystemClock()) as store:
            await history(store, writing, 5)
            before = await counts(store)
            trouble.arm(at, sqlite3.SQLITE_IOERR, late=late)
            try:
                await store.prune(NOON + 999 * DAY, keep_runs=1)
            except StoreFaulty:
                statements = at
            trouble.arm(0, 0, times=0)
            await store.prune(NOON + 999 * DAY, keep_runs=1)
            assert [row[0] for row in await store.fetch("last_runs_of_all", limit=99)] == [5], at
            assert await counts(store) == before, at
            assert await store.check() == [], at
    assert 10 < statements < 39


async def test_where_there_is_nothing_to_delete_nothing_is_written(store: Store, writing: Any) -> None:
    await history(store, writing, 20)
    before = store.seq
    assert await store.prune(NOON + DAY, keep_days=90, keep_runs=5) == 0
    assert await store.prune(NOON + 999 * DAY, keep_days=90, keep_runs=20) == 0
    assert store.seq == before


async def test_it_goes_in_bounded_transactions(store: Store, writing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 7)
    monkeypatch.setattr(retention, "RUNS", 3)
    await history(store, writing, 10)
    turn = writing().run(11)
    for ti in range(100, 130):
        turn.task(ti, 11)
    await store.commit(turn.end_run(11, at=NOON).run(12).moves)
    before = store.seq
    assert await store.prune(NOON + 999 * DAY, keep_runs=1) == 10  # the tenth has the newest date
    assert store.seq - before >= (10 + 30) / 7
    assert await store.fetch("tasks_of_run", run=11) == []
    assert await store.check() == []


async def test_old_events_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 4)
    moves = Moves()
    moves.add_event += [AddEvent(NOON + day * DAY, "k", None, None, None, None, None, str(day)) for day in range(20)]
    await store.commit(moves)
    await store.prune(NOON + 100 * DAY, keep_days=90)
    assert [row[7] for row in await store.fetch("last_events", limit=99)] == [str(day) for day in range(19, 9, -1)]


async def test_commits_go_on_while_it_prunes(file_store: Store, writing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RUNS", 2)
    await history(file_store, writing, 40)
    async with anyio.create_task_group() as group:
        group.start_soon(file_store.prune, NOON + 999 * DAY, 0, 1)
        for row in range(100, 120):
            assert await file_store.commit(writing().run(row).moves) == []
    assert await file_store.check() == []


# -- spans --------------------------------------------------------------------------------------------

FATES = st.sampled_from([
    ("skipped", "paused", None), ("skipped", "date taken", None), ("coalesced", "late", 1), ("coalesced", "late", 2),
    ("run", "", None),
])  # fmt: skip


def spans_of(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT due_at, until, count, outcome, reason, run FROM tick ORDER BY due_at").fetchall()


@pytest.fixture(scope="module")
def empty() -> Any:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        fitness.migrate(connection, ":memory:")
        yield connection


@given(fates=st.lists(st.tuples(FATES, st.integers(1, 4)), max_size=25))
@settings(max_examples=60)
def test_consecutive_ticks_of_one_fate_are_one_row(empty: sqlite3.Connection, fates: list[Any]) -> None:
    """Against a list that is folded by hand."""
    empty.execute("BEGIN")
    try:
        expected: list[list[Any]] = []
        due, last = 0, None
        for number, ((outcome, reason, run), count) in enumerate(fates, start=2):
            due += 10
            if outcome == "run":
                row = (number, "etl", f"r{number}", "scheduled", "success", due, due, due, due, due, due, due, "{}")
                empty.execute(SQL["add_run"], row)
                last = None
                continue
            empty.execute(SQL["add_tick"], ("etl", due, due + count, count, outcome, reason, run))
            empty.execute(SQL["add_tick"], ("other", due, due + count, count, "skipped", "of another DAG", None))
            if last == (outcome, reason, run):
                expected[-1][1], expected[-1][2] = due + count, expected[-1][2] + count
            else:
                expected.append([due, due + count, count, outcome, reason, run])
            last = (outcome, reason, run)
        found = [list(row) for row in spans_of(empty) if row[4] != "of another DAG"]
        assert found == expected
    finally:
        empty.execute("ROLLBACK")


@given(
    runs=st.lists(st.tuples(st.sampled_from(["success", "failed", "running"]), st.integers(0, 3), st.booleans()), max_size=30),
    keep_runs=st.integers(0, 10),
    rows=st.integers(1, 9),
    rounds=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_pruning_never_changes_a_sum(empty: sqlite3.Connection, runs: list[Any], keep_runs: int, rows: int, rounds: int) -> None:
    """Runs, late runs, spans between them, in any states: the counts per outcome are the same ever after."""
    empty.execute("BEGIN")
    try:
        for number, (state, tasks, late) in enumerate(runs, start=1):
            due = number * 10 * SECOND
            row = (number, "etl", f"r{number}", "scheduled", state, due, due, due, due, due, due + late * 2 * SECOND, due, "{}")
            empty.execute(SQL["add_run"], row)
            if state != "running":
                empty.execute("UPDATE run SET ended_at = ? WHERE id = ?", (due, number))
            for task in range(tasks):
                given_row = (number * 10 + task, number, f"t{task}", -1, "success", 1, 0, "Op", "p", 1, 1, 1)
                empty.execute(SQL["add_task"], given_row)
                empty.execute(SQL["put_xcom"], (number * 10 + task, "k", "1"))
            if late:
                empty.execute(SQL["add_tick"], ("etl", due + SECOND, due + 3 * SECOND, 3, "coalesced", "late", number))
        before = empty.execute("SELECT outcome, sum(count) FROM ticks GROUP BY outcome ORDER BY outcome").fetchall()
        for _ in range(rounds):
            pruning = retention.Pruning(999 * DAY, keep_days=0, keep_runs=keep_runs)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(retention, "ROWS", rows)
                patch.setattr(retention, "SPANS", 2)
                while pruning.left:
                    pruning.delete(empty, pruning.look(empty))
        after = empty.execute("SELECT outcome, sum(count) FROM ticks GROUP BY outcome ORDER BY outcome").fetchall()
        assert after == before
        left = {row[0] for row in empty.execute("SELECT id FROM run")}
        active = {number for number, (state, *_) in enumerate(runs, start=1) if state == "running"}
        newest = set(range(len(runs), max(len(runs) - max(keep_runs, 1), 0), -1))
        assert active | newest <= left
        assert problems_of(empty) == []
    finally:
        empty.execute("ROLLBACK")


async def test_old_spans_of_ticks_become_one_row_for_each_outcome(
    store: Store, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick a minute, each of another fate than the one before it, for ever: the rows are bounded, the sums are true."""
    monkeypatch.setattr(retention, "SPANS", 5)
    monkeypatch.setattr(retention, "ROWS", 7)
    await store.commit(writing().run(1).moves)
    for number in range(1, 101):
        fate = ("skipped", "paused") if number % 2 else ("coalesced", "late")
        await store.commit(writing().tick(NOON + number * MINUTE, outcome=fate[0], reason=fate[1]).moves)
        if number % 25 == 0:
            await store.prune(NOON + number * MINUTE, keep_days=0)
            spans = await store.fetch("last_ticks", dag_id="etl", limit=999)
            assert len(spans) <= 5 + 2 + 1
            assert await counts(store) == {"coalesced": number // 2, "skipped": number - number // 2}
            assert await store.check() == []
    assert [row[1:5] for row in spans[-2:]] == [
        (NOON + 94 * MINUTE, 47, "coalesced", retention.CONDENSED),
        (NOON + 95 * MINUTE, 48, "skipped", retention.CONDENSED),
    ]


async def test_young_spans_of_ticks_are_told_apart_however_many_there_are(
    store: Store, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SPANS", 5)
    turn = writing().run(1)
    for number in range(1, 21):
        turn.tick(NOON + number * MINUTE, reason=str(number))
    await store.commit(turn.moves)
    await store.prune(NOON + DAY + 10 * MINUTE + 1, keep_days=1)
    assert len(await store.fetch("last_ticks", dag_id="etl", limit=99)) == 11


# -- copies and checks --------------------------------------------------------------------------------


async def test_a_backup_is_a_whole_database(store: Store, writing: Any, tmp_path: Path) -> None:
    await history(store, writing, 30)
    target = tmp_path / "backup.db"
    await store.backup(target)
    assert target.stat().st_mode & 0o777 == 0o600
    async with await Store.open(target, clock=SystemClock()) as copy:
        assert copy.epoch == 2
        assert await copy.fetch("max_ids") == await store.fetch("max_ids")
        assert await copy.check() == []


async def test_a_backup_overwrites_nothing_and_leaves_nothing_when_it_fails(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        await file_store.backup(target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="cannot be made"):
        await file_store.backup(tmp_path / "nowhere" / "b.db")

    def damaged(*_: Any) -> None:
        raise StoreError("damaged")

    monkeypatch.setattr("flowlet.store.copying.quick_check", damaged)
    with pytest.raises(StoreError, match="damaged"):
        await file_store.backup(tmp_path / "other.db")
    assert list(tmp_path.glob("other*")) == []  # noqa: ASYNC240  a test's own folder


async def test_commits_go_on_during_a_backup(file_store: Store, writing: Any, tmp_path: Path) -> None:
    await history(file_store, writing, 50)
    async with anyio.create_task_group() as group:
        group.start_soon(file_store.backup, tmp_path / "backup.db")
        for row in range(100, 130):
            assert await file_store.commit(writing().run(row).moves) == []
    async with await Store.open(tmp_path / "backup.db", clock=SystemClock()) as copy:
        assert await copy.check() == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("INSERT INTO xcom VALUES (99, 'k', '1')", "does not exist"),
        ("UPDATE task_instance SET state = 'running' WHERE id = 1", "is success but its task task_1 is running"),
        ("UPDATE task_instance SET try_number = 5 WHERE id = 1", "is at try 5 but has 1 earlier attempts"),
        ("UPDATE task_instance SET try_number = 0 WHERE id = 1", "is at try 0 but try 1 is on file"),
        (f"INSERT INTO tick VALUES (1, 'etl', {NOON + MINUTE}, {NOON + MINUTE}, 1, 'skipped', 'x', NULL)", "has a run and is skipped too"),
        ("INSERT INTO tick VALUES (1, 'x', 1, 9, 9, 'skipped', 'x', NULL), (2, 'x', 9, 11, 2, 'skipped', 'x', NULL)", "overlap"),
        ("DELETE FROM owner", "there are 0 rows"),
    ],
)  # fmt: skip
async def test_rows_that_contradict_each_other_are_told(file_store: Store, writing: Any, damage: str, sentence: str) -> None:
    await history(file_store, writing, 2)
    assert await file_store.check() == []
    with closing(sqlite3.connect(file_store.path, isolation_level=None)) as other:
        other.execute(damage)
    problems = await file_store.check()
    assert len(problems) == 1
    assert sentence in problems[0]
