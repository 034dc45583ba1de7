"""The thread beside the loop: whole functions, callers that are cancelled, an exit that is never held up."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from flowlet.clock import SystemClock
from flowlet.store import Store, settled
from flowlet.store.hop import Hop

pytestmark = pytest.mark.anyio


async def test_aiosqlite_is_still_what_the_hop_relies_on() -> None:
    """Its queue takes (future, function) and its thread ends at the sentinel; both are private."""
    version = importlib.metadata.version("aiosqlite").split(".")
    assert (int(version[0]), int(version[1])) == (0, 22)
    worker = inspect.getsource(aiosqlite.core._connection_worker_thread)
    for line in ("future, function = tx.get()", "result is _STOP_RUNNING_SENTINEL", "set_result, future, result"):
        assert line in worker
    assert {"_tx", "_thread", "_connection", "_running"} <= vars(aiosqlite.Connection(lambda: None, 1)).keys()


async def test_a_transaction_is_one_hop(file_store: Store, writing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hops: list[Any] = []
    real = Hop.run
    monkeypatch.setattr(Hop, "run", lambda self, *args: (hops.append(args[0]), real(self, *args))[1])
    await file_store.commit(writing().dag().run().task(1).task(2).start(1).start(2).moves)
    assert len(hops) == 1


async def test_a_cancelled_caller_learns_when_the_transaction_is_over(file_store: Store, writing: Any) -> None:
    blocked, go = threading.Event(), threading.Event()
    file_store._hop.run(lambda: (blocked.set(), go.wait(10)))
    await asyncio.get_running_loop().run_in_executor(None, blocked.wait)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(file_store.commit(writing().run(7).end_run(9).moves))
        for _ in range(3):
            await asyncio.tasks.sleep(0)
            task.cancel()
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError) as told:
            await task
    how = settled(told.value)
    assert how is not None
    assert ([conflict.kind for conflict in how.conflicts or ()], how.error) == (["end_run"], None)
    assert [row[0] for row in await file_store.fetch("last_runs_of_all", limit=1)] == [7]


async def test_a_cancelled_commit_that_failed_carries_its_error(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked, go = threading.Event(), threading.Event()

    def fail(_: Any) -> Any:
        blocked.set()
        go.wait(10)
        raise OSError("no disk")

    monkeypatch.setattr(file_store._ledger, "apply", fail)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(file_store.commit(None))
        await asyncio.get_running_loop().run_in_executor(None, blocked.wait)
        task.cancel()
        await asyncio.tasks.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError) as told:
            await task
    how = settled(told.value)
    assert how is not None
    assert (how.conflicts, type(how.error)) == (None, OSError)


async def test_a_time_limit_around_a_commit_is_still_a_time_limit(file_store: Store, writing: Any) -> None:
    file_store._hop.run(lambda: threading.Event().wait(0.05))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await file_store.commit(writing().run(7).moves)
    assert len(await file_store.fetch("last_runs_of_all", limit=1)) == 1


async def test_a_cancelled_opening_leaves_no_thread_and_no_lease(path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Store.open(path, clock=SystemClock()))
        await asyncio.tasks.sleep(0)
        task.cancel()
    assert task.cancelled()
    await (await Store.open(path, clock=SystemClock())).close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("flowlet-store", "flowlet-reader"))] == []


async def test_a_cancelled_close_closes_all_the_same(path: Path) -> None:
    store = await Store.open(path, clock=SystemClock())
    await store.fetch("owner")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(store.close())
        await asyncio.tasks.sleep(0)
        task.cancel()
    await (await Store.open(path, clock=SystemClock())).close()


async def test_many_threads_read_at_once(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    await store.commit(writing().end().xcom(1, "7").moves)
    found: list[Any] = []

    def read() -> None:
        found.extend(store.fetch_now("xcoms_of_task", ti=1) for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[("return_value", "7")]] * 400


async def test_an_error_in_a_read_is_raised_where_it_was_asked(store: Store) -> None:
    with pytest.raises(KeyError):
        store.fetch_now("no such statement")
    with pytest.raises(KeyError):
        await store.fetch("no such statement")
    assert await store.fetch("max_ids") == [(0, 0)]


@pytest.mark.parametrize("place", [":memory:", "file"])
async def test_a_store_that_nobody_closed_does_not_hold_up_the_exit(path: Path, place: str) -> None:
    script = (
        "import asyncio, sys; from flowlet.clock import SystemClock; from flowlet.store import Store\n"
        "async def main():\n"
        "    global store; store = await Store.open(sys.argv[1], clock=SystemClock()); await store.fetch('owner')\n"
        "asyncio.run(main()); print('over')"
    )
    where = ":memory:" if place == ":memory:" else str(path)
    done = await asyncio.get_running_loop().run_in_executor(
        None, lambda: subprocess.run([sys.executable, "-c", script, where], capture_output=True, timeout=20, text=True, check=False)
    )
    assert (done.returncode, done.stdout) == (0, "over\n")
