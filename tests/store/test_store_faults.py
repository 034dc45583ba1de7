"""The disk is full, busy, broken, at any statement: nothing is acknowledged, nothing is lost, and it heals."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowlet.clock import SystemClock
from flowlet.errors import (
    StoreBusy,
    StoreError,
    StoreFaulty,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    StoreUnfit,
)
from flowlet.runs.moves import AddEvent, BeginRun, MoveCursor, Moves, PauseDag, PutPool
from flowlet.store import Store, ledger, sqlite

pytestmark = pytest.mark.anyio

ERRORS: dict[str, tuple[int, type[StoreError]]] = {
    "BUSY": (sqlite3.SQLITE_BUSY, StoreBusy),
    "FULL": (sqlite3.SQLITE_FULL, StoreFull),
    "IOERR": (sqlite3.SQLITE_IOERR_FSYNC, StoreFaulty),
    "READONLY": (sqlite3.SQLITE_READONLY, StoreReadOnly),
    "INTERRUPT": (sqlite3.SQLITE_INTERRUPT, StoreUnavailable),
}


def rich(writing: Any) -> Moves:
    """A turn with nearly every kind of move, after `writing().dag().run(1).task(1).start(1)`."""
    turn = writing().dag("other").run(2, state="queued").task(2, 2).task(3, 2)
    turn.end(1, "up_for_retry", "failed").xcom(1).archive(1).start(1, try_number=2, expected="up_for_retry")
    turn.start(2).settle(3, "skipped", at=5).tick(10).tick(20)
    turn.moves.begin_run.append(BeginRun(7, 2))
    turn.moves.put_pool.append(PutPool("db", 4, "", 0))
    turn.moves.pause_dag.append(PauseDag("etl", 1))
    turn.moves.move_cursor.append(MoveCursor(20, "etl"))
    turn.moves.add_event.append(AddEvent(1, "told", None, None, None, None, None, "once"))
    moves: Moves = turn.moves
    return moves


BEFORE = 2  # what every commit begins with: BEGIN, the fence
STATEMENTS = 19  # as the turn above takes, COMMIT included; guarded by a test


async def begun(place: Any, writing: Any) -> Store:
    store = await Store.open(place, durability="process", clock=SystemClock())
    await store.commit(writing().dag().run(1).task(1).start(1).moves)
    return store


async def content(store: Store) -> list[Any]:
    names = ("dags", "pools", "active_runs", "active_tasks")
    rows: list[Any] = [await store.fetch(name) for name in names]
    rows += [await store.fetch("attempts_of_run", run=1), await store.fetch("ticks_summary", dag_id="etl")]
    return [*rows, await store.fetch("last_events", limit=9), store.seq]


async def expected(writing: Any) -> list[Any]:
    async with await begun(":memory:", writing) as store:
        assert await store.commit(rich(writing)) == []
        return await content(store)


@pytest.fixture(params=["memory", "file"])
def place(request: Any, path: Path) -> Any:
    return ":memory:" if request.param == "memory" else path


async def test_the_turn_has_that_many_statements(trouble: Any, writing: Any) -> None:
    async with await begun(":memory:", writing) as store:
        trouble.seen = 0
        await store.commit(rich(writing))
        assert trouble.seen == STATEMENTS


@pytest.mark.parametrize("late", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_at_any_statement_once(place: Any, trouble: Any, writing: Any, name: str, late: bool) -> None:
    code, kind = ERRORS[name]
    wanted = await expected(writing)
    for at in range(1, STATEMENTS + 1):
        store = await begun(place, writing)
        async with store:
            moves = rich(writing)
            trouble.arm(at, code, late=late)
            with pytest.raises(kind):
                await store.commit(moves)
            assert await store.commit(moves) == [], at
            assert await content(store) == wanted, at
            assert await store.check() == [], at
        for leftover in Path(store.path).parent.glob("flowlet.db*") if not store.in_memory else ():
            leftover.unlink()


@pytest.mark.parametrize("late", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_that_stays_for_a_while(place: Any, trouble: Any, writing: Any, name: str, late: bool) -> None:
    code, kind = ERRORS[name]
    wanted = await expected(writing)
    async with await begun(place, writing) as store:
        moves, conflicts = rich(writing), None
        for at in (STATEMENTS, 1, 1, BEFORE, STATEMENTS):
            trouble.arm(at, code, times=3, late=late)
            try:
                conflicts = await store.commit(moves)
                break
            except kind:
                continue
        trouble.arm(0, code, times=0)
        assert (await store.commit(moves) if conflicts is None else conflicts) == []
        assert await content(store) == wanted


@pytest.mark.parametrize("late", [False, True], ids=["instead", "after"])
async def test_moves_may_have_grown_when_they_are_committed_again(
    place: Any, trouble: Any, writing: Any, late: bool
) -> None:
    """Whether the failed COMMIT reached the file or not, each move is applied exactly once."""
    async with await begun(place, writing) as store:
        turn = writing().end(1).xcom(1, "first")
        for number in (2, 3):
            trouble.arm(5, sqlite3.SQLITE_IOERR, late=late)
            with pytest.raises(StoreFaulty):
                await store.commit(turn.moves)
            turn.run(number).tick(number * 10)
        assert await store.commit(turn.moves) == []
        assert [row[0] for row in await store.fetch("last_runs_of_all", limit=9)] == [3, 2, 1]
        assert await store.fetch("ticks_summary", dag_id="etl") == [("skipped", 2, 20, 30)]
        assert await store.fetch("xcoms_of_run", run=1) == [("task_1", -1, "return_value", "first")]


async def test_a_second_error_does_not_forget_what_the_first_one_left_on_file(
    place: Any, trouble: Any, writing: Any
) -> None:
    async with await begun(place, writing) as store:
        turn = writing().end(1).xcom(1, "first")
        trouble.arm(1, sqlite3.SQLITE_IOERR, late=True, only="COMMIT")  # on file, though it said otherwise
        with pytest.raises(StoreFaulty):
            await store.commit(turn.moves)
        turn.run(2)
        trouble.arm(1, sqlite3.SQLITE_IOERR, only="COMMIT")  # not on file
        with pytest.raises(StoreFaulty):
            await store.commit(turn.moves)
        assert await store.commit(turn.run(3).moves) == []
        assert [row[0] for row in await store.fetch("last_runs_of_all", limit=9)] == [3, 2, 1]


async def test_other_moves_do_not_pass_those_whose_end_is_unknown(place: Any, trouble: Any, writing: Any) -> None:
    async with await begun(place, writing) as store:
        moves = writing().end(1).moves
        trouble.arm(4, sqlite3.SQLITE_IOERR, late=True)
        with pytest.raises(StoreFaulty):
            await store.commit(moves)
        with pytest.raises(StoreError, match="commit the same moves again"):
            await store.commit(writing().run(5).moves)
        assert await store.commit(moves) == []
        assert await store.commit(writing().run(5).moves) == []


async def test_retention_passes_a_commit_whose_end_is_unknown(place: Any, trouble: Any, writing: Any) -> None:
    async with await begun(place, writing) as store:
        moves = writing().end(1).moves
        trouble.arm(4, sqlite3.SQLITE_IOERR, late=True)
        with pytest.raises(StoreFaulty):
            await store.commit(moves)
        assert await store.prune(1, 0, 1) == 0
        assert await store.commit(moves) == []
        assert (await store.fetch("tasks_of_run", run=1))[0][4] == "success"


async def test_conflicts_are_told_even_if_the_commit_had_to_be_repeated(place: Any, trouble: Any, writing: Any) -> None:
    async with await begun(place, writing) as store:
        moves = writing().end(1).end_run(99).moves
        trouble.arm(1, sqlite3.SQLITE_IOERR, late=True, only="COMMIT")
        with pytest.raises(StoreFaulty):
            await store.commit(moves)
        moves.add_event.append(AddEvent(1, "joined", None, None, None, None, None, "later"))
        assert [conflict.kind for conflict in await store.commit(moves)] == ["end_run"]
        assert (await store.fetch("tasks_of_run", run=1))[0][4] == "success"
        assert [row[1] for row in await store.fetch("last_events", limit=9)] == ["joined"]


async def test_after_an_io_error_the_file_is_opened_anew_and_checked(
    path: Path, trouble: Any, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    async with await begun(path, writing) as store:
        first = store._ledger.connection
        real = ledger.fitness.quick_check
        monkeypatch.setattr(ledger.fitness, "quick_check", lambda db, place: (checked.append(place), real(db, place)))
        trouble.arm(1, sqlite3.SQLITE_IOERR_WRITE)
        with pytest.raises(StoreFaulty, match="look at the disk"):
            await store.commit(writing().end(1).moves)
        assert store._ledger.connection is None
        assert await store.commit(writing().end(1).moves) == []
        assert checked == [str(path)]
        assert store._ledger.connection is not first


async def test_a_damaged_database_in_memory_is_not_a_passing_trouble(trouble: Any, writing: Any) -> None:
    async with await begun(":memory:", writing) as store:
        trouble.arm(3, sqlite3.SQLITE_CORRUPT)
        with pytest.raises(StoreUnfit, match="restore a backup"):
            await store.commit(writing().end(1).moves)


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_a_page_that_could_not_be_read_is_looked_at_again(
    path: Path, trouble: Any, writing: Any, monkeypatch: pytest.MonkeyPatch, is_damaged: bool
) -> None:
    """SQLite calls a file malformed whose disk gave an error; only a second look tells which of the two it was."""

    def check(_: Any, place: str) -> None:
        if is_damaged:
            raise StoreUnfit(f"{place} is damaged")

    async with await begun(path, writing) as store:
        monkeypatch.setattr(ledger.fitness, "quick_check", check)
        trouble.arm(3, sqlite3.SQLITE_CORRUPT)
        moves = writing().end(1).moves
        with pytest.raises(StoreFaulty, match="opened anew and checked"):
            await store.commit(moves)
        if is_damaged:
            with pytest.raises(StoreUnfit, match="is damaged"):
                await store.commit(moves)
        else:
            assert await store.commit(moves) == []


async def test_another_writer_makes_it_busy_and_costs_nothing(
    path: Path, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_EVERY", sqlite._EVERY.replace("5000", "20"))
    async with await begun(path, writing) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        moves = writing().end(1).moves
        for _ in range(2):
            with pytest.raises(StoreBusy, match="another program"):
                await store.commit(moves)
        other.execute("ROLLBACK")
        other.close()
        assert await store.commit(moves) == []


async def test_a_full_disk_is_reported_and_forgotten_when_there_is_space(path: Path, writing: Any) -> None:
    async with await begun(path, writing) as store:
        db = store._ledger.connection
        assert db is not None
        pages = await store._hop.run(lambda: db.execute("PRAGMA max_page_count = 1").fetchone()[0])
        big = writing().end(1).xcom(1, "x" * 500_000).moves
        for _ in range(2):
            with pytest.raises(StoreFull, match="free some space"):
                await store.commit(big)
        assert (await store.fetch("tasks_of_run", run=1))[0][4] == "running"
        await store._hop.run(lambda: db.execute(f"PRAGMA max_page_count = {pages + 100_000}").fetchone())
        assert await store.commit(big) == []
        assert len((await store.fetch("xcoms_of_task", ti=1))[0][1]) == 500_000


async def test_a_reader_that_lingers_makes_the_log_grow_and_a_checkpoint_say_so(path: Path, writing: Any) -> None:
    async with await begun(path, writing) as store:
        pinned = sqlite3.connect(path, isolation_level=None)
        pinned.execute("BEGIN")
        pinned.execute("SELECT count(*) FROM run").fetchone()
        await store.commit(writing().end(1).xcom(1, "x" * 100_000).moves)
        began = SystemClock().monotonic()
        assert not await store.checkpoint()
        assert SystemClock().monotonic() - began < 2_000_000  # commits would wait as long
        assert store.log_size > 100_000
        assert store.large_log() is None
        pinned.close()
        assert await store.checkpoint()
        assert store.log_size == 0


async def test_a_large_log_is_an_alarm(path: Path, writing: Any) -> None:
    async with await begun(path, writing) as store:
        alarm = store.large_log(1000)
        assert alarm is not None
        assert "another program has been reading" in alarm


async def test_an_error_of_a_read_is_the_stores_own(place: Any, trouble: Any, writing: Any) -> None:
    """Whoever reads, by whichever connection: it is told as trouble of the file, and passes."""
    async with await begun(place, writing) as store:
        for read in (lambda: store.fetch("dags"), store.check):
            trouble.arm(1, sqlite3.SQLITE_IOERR, only="SELECT")
            with pytest.raises(StoreFaulty):
                await read()
            await read()


async def test_a_file_that_cannot_be_looked_at_is_a_passing_trouble(
    path: Path, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a disk, or of rights: nothing says that the file is gone."""
    from flowlet.store import watch

    def stat(name: str) -> Any:
        raise PermissionError(13, "Permission denied", name)

    async with await begun(path, writing) as store:
        moves = writing().end(1).moves
        with monkeypatch.context() as patch:
            patch.setattr(watch.os, "stat", stat)
            with pytest.raises(StoreFaulty, match="cannot be looked at: Permission denied"):
                await store.look()
        assert await store.commit(moves) == []
