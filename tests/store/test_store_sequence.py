"""A file that went back in time is noticed, and one that did not is never accused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowlet.clock import SystemClock
from flowlet.errors import StoreUnfit
from flowlet.store import Store
from flowlet.store.mirror import Mirror, read_mirror

# ruff: noqa: ASYNC220, ASYNC240  the loop of a test serves nobody else

pytestmark = pytest.mark.anyio


async def grown(path: Path, writing: Any, runs: range, durability: str = "full") -> int:
    async with await Store.open(path, durability=durability, clock=SystemClock()) as store:
        for number in runs:
            await store.commit(writing().run(number).moves)
        return store.seq


def copy(path: Path, target: Path) -> None:
    shutil.copy(path, target)


async def test_the_number_beside_the_file_is_the_one_in_it(path: Path, writing: Any) -> None:
    seq = await grown(path, writing, range(1, 4))
    noted = read_mirror(str(path))
    assert noted is not None
    assert noted.seq == seq
    assert Path(f"{path}.seq").stat().st_mode & 0o777 == 0o600


async def test_an_older_copy_in_its_place_is_an_error_in_full(path: Path, tmp_path: Path, writing: Any) -> None:
    await grown(path, writing, range(1, 3))
    copy(path, tmp_path / "older")
    await grown(path, writing, range(3, 6))
    copy(tmp_path / "older", path)
    content = path.read_bytes()
    with pytest.raises(StoreUnfit, match=r"went back in time: .* 5 transactions|went back in time"):
        await Store.open(path, clock=SystemClock())
    assert path.read_bytes() == content
    Path(f"{path}.seq").unlink()  # the way out that the message names
    await grown(path, writing, range(9, 10))


async def test_an_older_copy_is_an_event_in_process_durability(path: Path, tmp_path: Path, writing: Any) -> None:
    await grown(path, writing, range(1, 3), "process")
    copy(path, tmp_path / "older")
    await grown(path, writing, range(3, 6), "process")
    copy(tmp_path / "older", path)
    async with await Store.open(path, durability="process", clock=SystemClock()) as store:
        assert [kind for kind, _ in store.found] == ["went_back"]
        assert "4 transactions are gone" in store.found[0][1]
    async with await Store.open(path, durability="process", clock=SystemClock()) as store:
        assert store.found == []


async def test_a_new_file_beside_an_old_number_is_no_alarm(path: Path, writing: Any) -> None:
    await grown(path, writing, range(1, 9))
    path.unlink()
    assert await grown(path, writing, range(1, 2)) == 2


@pytest.mark.parametrize("left", [b"", b"garbage", b"abc 12\n", b"abc " + b"9" * 20 + b" x\n", b"\xff" * 40])
async def test_a_number_that_cannot_be_read_is_no_alarm(path: Path, writing: Any, left: bytes) -> None:
    await grown(path, writing, range(1, 3))
    Path(f"{path}.seq").write_bytes(left)
    await grown(path, writing, range(3, 4))


async def test_a_number_that_cannot_be_written_stops_nothing(path: Path) -> None:
    mirror = Mirror(str(path), "birth")
    os.close(mirror._descriptor)
    mirror.note(5)
    mirror.sync()
    mirror._descriptor = -1
    mirror.close()


CHILD = """
import asyncio, os, sys
from flowlet.clock import SystemClock
from flowlet.runs.moves import AddRun, AddTask, EndTask, Moves, PutXCom, StartTask
from flowlet.store import Store
async def main():
    store = await Store.open(sys.argv[1], durability=sys.argv[2], clock=SystemClock())
    first = (await store.fetch("max_ids"))[0][0] + 1
    for number in range(first, first + 100_000):
        moves = Moves()
        moves.add_run.append(AddRun(number, "d", f"r{number}", "manual", "running", None, None, None, 1, None, 1, 1, "{}"))
        moves.add_task += [AddTask(2 * number + k, number, f"t{k}", -1, "none", 0, 0, "Op", "p", None, None, None) for k in (0, 1)]
        moves.start_task.append(StartTask(2 * number, "none", 0, 1, 1, 1))
        assert await store.commit(moves) == []
        moves = Moves()
        moves.end_task.append(EndTask(2 * number, 1, "success", "succeeded", None, None, 2, None, 0, 0))
        moves.put_xcom.append(PutXCom(2 * number, "return_value", str(number)))
        moves.start_task.append(StartTask(2 * number + 1, "none", 0, 1, 1, 1))
        assert await store.commit(moves) == []
        os.write(1, b"%d\\n" % number)
        if number % 7 == 0:
            await store.checkpoint()
asyncio.run(main())
"""


@pytest.mark.parametrize("durability", ["full", "process"])
async def test_kill_9_keeps_what_was_acknowledged_and_is_no_alarm(path: Path, durability: str) -> None:
    """Each number stands for two transactions; whatever the moment of the kill, no half of one is there.

    The number at which a life was killed may stop between its two; the next life begins behind it.
    """
    acknowledged: list[int] = []
    for target in (1, 9, 23):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), durability], stdout=subprocess.PIPE)
        assert child.stdout is not None
        acknowledged += [int(child.stdout.readline()) for _ in range(target)]
        child.send_signal(signal.SIGKILL)
        acknowledged += map(int, child.stdout.read().split())
        child.wait()
        child.stdout.close()
        async with await Store.open(path, durability=durability, clock=SystemClock()) as store:
            assert store.found == []
            assert await store.check() == []
            last = (await store.fetch("max_ids"))[0][0]
            assert acknowledged[-1] <= last <= acknowledged[-1] + 1
            for number in acknowledged:
                assert await store.fetch("task_states", run=number) == [("t0", -1, "success"), ("t1", -1, "running")]
                assert await store.fetch("xcoms_of_task", ti=2 * number) == [("return_value", str(number))]


@pytest.mark.parametrize("where", [0.3, 0.6, 0.95])
async def test_a_damaged_log_is_noticed(path: Path, where: float) -> None:
    """SQLite itself calls a log that is cut at a flipped bit sound; the number beside it does not."""
    child = subprocess.Popen([sys.executable, "-c", CHILD.replace("number % 7 == 0", "False"), str(path), "full"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    log = Path(f"{path}-wal")
    content = bytearray(log.read_bytes())
    content[int(len(content) * where)] ^= 0x10
    log.write_bytes(content)
    main = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreUnfit, match="went back in time"):
            await Store.open(path, clock=SystemClock())
    assert (log.read_bytes(), path.read_bytes()) == (bytes(content), main)  # left for whoever wants to save it
