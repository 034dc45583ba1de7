"""One scheduler per file, whatever the file is called, and free again when the process is gone."""

# ruff: noqa: ASYNC220, ASYNC240  the loop of a test serves nobody else

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flowlet.clock import SystemClock
from flowlet.errors import StoreError, StoreLost, StoreOwned, StoreUnfit
from flowlet.store import Reader, Store, watch

pytestmark = pytest.mark.anyio

OWNER = """
import asyncio, sys
from flowlet.clock import SystemClock
from flowlet.store import Store
async def main():
    store = await Store.open(sys.argv[1], clock=SystemClock(), control="/run/owner.sock")
    print(store.epoch, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await store.close()
asyncio.run(main())
"""


def owner(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def end(process: subprocess.Popen[str], *, kill: bool = False) -> None:
    if kill:
        process.send_signal(signal.SIGKILL)
    process.communicate("", timeout=20)


async def test_a_second_owner_in_this_process_is_refused_at_once(path: Path) -> None:
    async with await Store.open(path, clock=SystemClock()):
        with pytest.raises(StoreOwned) as refused:
            await Store.open(path, clock=SystemClock())
        assert (refused.value.pid, refused.value.host) == (os.getpid(), os.uname().nodename)
        assert str(refused.value.since).endswith("Z")
    async with await Store.open(path, clock=SystemClock()) as again:
        assert again.epoch == 2


async def test_an_owner_in_another_process_is_named_and_free_when_killed(path: Path) -> None:
    process = owner(path)
    try:
        with pytest.raises(StoreOwned, match=f"process {process.pid} on"):
            await Store.open(path, clock=SystemClock())
        with Reader(path) as reader:
            known = reader.owner()
            assert known is not None
            assert (known["pid"], known["control"]) == (process.pid, "/run/owner.sock")
    finally:
        end(process, kill=True)
    async with await Store.open(path, clock=SystemClock()) as store:
        assert store.epoch == 2


@pytest.mark.parametrize("alias", ["symlink", "relative", "through a linked folder"])
async def test_another_name_of_the_path_is_the_same_lease(
    path: Path, monkeypatch: pytest.MonkeyPatch, alias: str
) -> None:
    async with await Store.open(path, clock=SystemClock()):
        other = path.parent / "other.db"
        if alias == "symlink":
            other.symlink_to(path)
        elif alias == "relative":
            monkeypatch.chdir(path.parent)
            other = Path(path.name)
        else:
            (path.parent / "folder").symlink_to(path.parent)
            other = path.parent / "folder" / path.name
        with pytest.raises(StoreOwned):
            await Store.open(other, clock=SystemClock())


async def test_a_hard_link_is_refused_because_sqlite_would_keep_two_logs(path: Path) -> None:
    async with await Store.open(path, clock=SystemClock()):
        (path.parent / "other.db").hardlink_to(path)
        with pytest.raises(StoreUnfit, match="2 names"):
            await Store.open(path.parent / "other.db", clock=SystemClock())


async def test_the_control_socket_is_published_and_taken_back(path: Path) -> None:
    async with await Store.open(path, clock=SystemClock()) as store:
        store.publish_control("/run/flowlet.sock")
        with Reader(path) as reader:
            known = reader.owner()
            assert known is not None
            assert known["control"] == "/run/flowlet.sock"
    assert json.loads(Path(f"{path}.lock").read_text()) == {}


@pytest.mark.parametrize("left", [b"", b"garbage", b'{"pid": 1}', b"[]"])
async def test_what_a_stale_lock_file_says_does_not_matter(path: Path, left: bytes) -> None:
    Path(f"{path}.lock").write_bytes(left)
    async with await Store.open(path, clock=SystemClock()) as store:
        assert store.epoch == 1


async def test_a_copied_file_starts_under_a_new_epoch(path: Path, tmp_path: Path, writing: Any) -> None:
    async with await Store.open(path, clock=SystemClock()) as store:
        await store.commit(writing().run().moves)
    copy = tmp_path / "copy.db"
    for suffix in ("", ".lock", ".seq"):
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    async with await Store.open(path, clock=SystemClock()), await Store.open(copy, clock=SystemClock()) as store:
        assert store.epoch == 2


async def test_looking_at_the_owner_never_costs_a_start(path: Path) -> None:
    await (await Store.open(path, clock=SystemClock())).close()
    with Reader(path) as reader:
        for _ in range(20):
            assert reader.owner() is None
            await (await Store.open(path, clock=SystemClock())).close()


async def test_a_store_that_was_forgotten_gives_the_file_free(path: Path) -> None:
    store = await Store.open(path, clock=SystemClock())
    forgotten = [store]
    del store
    with pytest.warns(ResourceWarning, match="was deleted before being closed"):
        forgotten.clear()
    for thread in threading.enumerate():
        if thread.name == "flowlet-store":
            thread.join(10)  # its thread is on its way out, and was the last to know the file
    await (await Store.open(path, clock=SystemClock())).close()


FORKER = """
import asyncio, os, sys, time
from flowlet.clock import SystemClock
from flowlet.errors import StoreLost
from flowlet.store import Store
from flowlet.runs.moves import Moves, AddEvent
async def main():
    store = await Store.open(sys.argv[1], clock=SystemClock())
    child = os.fork()
    if child == 0:
        try:
            store.fetch_now("owner")
        except StoreLost as error:
            print("child:", "forked" in str(error), flush=True)
        try:
            await store.commit(Moves())
        except StoreLost:
            print("refused", flush=True)
        if sys.argv[2] == "exits":
            import ctypes
            ctypes.pythonapi.Py_Exit(0)  # the interpreter's whole end, but not that of the parent's event loop
        sys.stdin.read()
        os._exit(0)
    if sys.argv[2] == "exits":
        os.waitpid(child, 0)
        moves = Moves()
        moves.add_event.append(AddEvent(1, "after", None, None, None, None, None, "the child is gone"))
        await store.commit(moves)
        await store.close()
    else:
        time.sleep(0.2)
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ["exits", "outlives its parent"])
async def test_a_forked_child_neither_writes_nor_keeps_the_lease(path: Path, how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline().strip(), process.stdout.readline().strip()] == ["child: True", "refused"]
    process.wait(20)
    async with await Store.open(path, clock=SystemClock()) as store:  # the child of the killed one lives still
        assert store.epoch == 2
        assert await store.check() == []
        events = [row[1] for row in await store.fetch("last_events", limit=5)]
        assert events == (["after"] if how == "exits" else [])
    assert process.stdin is not None
    process.stdin.close()
    process.stdout.close()


async def test_a_closed_store_says_so(path: Path, writing: Any) -> None:
    store = await Store.open(path, clock=SystemClock())
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await store.commit(writing().run().moves)
    with pytest.raises(StoreError, match="is closed"):
        store.fetch_now("owner")


@pytest.mark.parametrize("what", ["deleted", "renamed", "replaced", "log deleted", "log replaced"])
async def test_a_file_that_is_taken_away_is_written_no_more(
    path: Path, writing: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(watch, "BESIDE_EVERY", 0)
    store = await Store.open(path, clock=SystemClock())
    await store.commit(writing().run(1).moves)
    log = Path(f"{path}-wal")
    if what == "deleted":
        path.unlink()
    elif what == "renamed":
        path.rename(f"{path}.old")
    elif what == "replaced":
        shutil.copy(path, f"{path}.copy")
        Path(f"{path}.copy").replace(path)
    elif what == "log deleted":
        log.unlink()
    else:
        shutil.copy(log, f"{log}.copy")
        Path(f"{log}.copy").replace(log)
    seq = store.seq
    for _ in range(2):
        with pytest.raises(StoreLost, match=r"deleted or renamed|replaced by another file"):
            await store.commit(writing().run(2).moves)
    assert store.seq == seq
    await store.close()


@pytest.mark.parametrize("other", ["another database", "garbage", "nothing", "an older copy"])
async def test_a_file_that_is_overwritten_in_place_is_left_alone(
    path: Path, tmp_path: Path, writing: Any, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """Not even the end of the old owner writes its log into what stands there now."""
    monkeypatch.setattr(watch, "INSIDE_EVERY", 0)
    stranger = tmp_path / "stranger.db"
    await (await Store.open(stranger, clock=SystemClock())).close()
    store = await Store.open(path, clock=SystemClock())
    await store.commit(writing().run(1).moves)
    older = path.read_bytes()
    await store.checkpoint()
    await store.commit(writing().run(2).moves)
    content = {"another database": stranger.read_bytes(), "garbage": b"x" * 8192, "nothing": b"", "an older copy": older}[other]
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreLost, match="was overwritten"):
            await store.commit(writing().run(3).moves)
    await store.close()
    assert path.read_bytes() == content


async def test_a_checkpoint_by_somebody_else_is_no_alarm(
    path: Path, writing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr(watch, "INSIDE_EVERY", 0)
    async with await Store.open(path, clock=SystemClock()) as store:
        for number in range(1, 30):
            await store.commit(writing().run(number).xcom(number, "x").moves)
            if number % 5 == 0:
                other = sqlite3.connect(path)
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                other.close()
        assert store.seq == 30


async def test_a_stolen_epoch_stops_the_old_owner(path: Path, writing: Any) -> None:
    import sqlite3

    store = await Store.open(path, clock=SystemClock())
    thief = sqlite3.connect(path)
    thief.execute("UPDATE owner SET epoch = epoch + 1")
    thief.commit()
    thief.close()
    with pytest.raises(StoreLost, match="somebody else wrote it"):
        await store.commit(writing().run().moves)
    with pytest.raises(StoreLost):
        await store.fetch("owner")
    await store.close()


async def test_of_several_that_start_at_once_one_owns_it_and_is_named(path: Path) -> None:
    script = OWNER.replace("store = await", "store = None\n    store = await").replace(
        "asyncio.run(main())",
        "from flowlet.errors import StoreOwned\ntry:\n    asyncio.run(main())\nexcept StoreOwned as error:\n    print('refused', error.pid)",
    )
    for _ in range(2):
        racers = [
            subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        said = {racer.pid: racer.stdout.readline().split() for racer in racers if racer.stdout is not None}
        owners = [pid for pid, words in said.items() if words[0] != "refused"]
        assert len(owners) == 1
        assert [words for pid, words in said.items() if pid not in owners] == [["refused", str(owners[0])]] * 2
        for racer in racers:
            end(racer)
