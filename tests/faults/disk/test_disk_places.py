"""A disk of two megabytes, a disk that cannot be written, and a file that goes away under an engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.errors import StoreError, StoreLost
from flowlet.scheduler import loop
from flowlet.store import Reader
from flowlet.testing import VirtualClock

# ruff: noqa: ASYNC240  the loop of a test serves nobody else

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Mounts a small disk in memory; skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(place: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if place in mounted:
            command = ["mount", "-o", f"remount,{options}", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        if place not in mounted:
            mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=False, capture_output=True)


async def test_a_disk_that_is_full_pauses_the_work_until_there_is_space(
    tmp_path: Path, work: Any, mount: Any, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSES", (0.01, 0.05))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount(disk, "size=1m")
    path = disk / "flowlet.db"
    async with Engine(path, dags=[work.dag(2_000_000)], durability="full", control=False) as engine:
        engine.listeners.subscribe(work.listen)
        run = await engine.trigger("work")
        await work.begun.wait()
        work.gate.set()
        await work.told.wait()
        assert work.heard[0][0] == "storage_full"
        assert f"{path}: database or disk is full" in work.heard[0][1]
        assert work.bodies == ["first"]
        mount(disk, "size=16m")
        await run.wait()
        assert (run.state, work.bodies) == ("success", ["first", "second"])
    assert read(path, "SELECT kind FROM events") == [("storage_full",)]
    assert read(path, "SELECT task_id, length(value) FROM xcoms ORDER BY 1") == [("first", 2_000_002), ("second", 7)]
    assert read(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_full_disk_of_the_logs_stops_no_task(tmp_path: Path, mount: Any, read: Any) -> None:
    path, logs = tmp_path / "flowlet.db", tmp_path / "flowlet.db.logs"
    logs.mkdir()
    mount(logs, "size=64k")
    with DAG("chatty") as dag:

        @task
        async def talks(ti: Any) -> str:
            for _ in range(100):
                ti.log.warning("x" * 10_000)
            return "done"

        talks()
    async with Engine(path, dags=[dag], durability="process", control=False) as engine:
        run = await (await engine.trigger("chatty")).wait()
        assert (run.state, await run.xcom("talks")) == ("success", "done")
    assert read(path, "SELECT kind, task_id, text FROM events") == [
        ("log_truncated", "talks", "the log could not be written any further: No space left on device")
    ]


async def test_a_disk_that_cannot_be_written_is_named_at_the_start_and_can_be_read(tmp_path: Path, work: Any, mount: Any) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount(disk, "size=8m")
    path = disk / "flowlet.db"
    work.gate.set()
    async with Engine(path, dags=[work.dag()], durability="process", control=False) as engine:
        await (await engine.trigger("work")).wait()
    mount(disk, "ro,size=8m")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"flowlet\.db\.lock cannot be made: Read-only file system; the database's folder"):
        await Engine(path, durability="process").__aenter__()
    with Reader(path) as reader:
        assert [row["state"] for row in reader.rows("tasks")] == ["success", "success"]
        assert reader.check() == []
    assert path.read_bytes() == before


GONE = {
    "deleted": lambda path: path.unlink(),
    "renamed": lambda path: path.rename(f"{path}.old"),
    "replaced": lambda path: (shutil.copy(path, f"{path}.copy"), Path(f"{path}.copy").replace(path)),
    "its log deleted": lambda path: Path(f"{path}-wal").unlink(),
    "its folder renamed": lambda path: path.parent.rename(f"{path.parent}.old"),
}


@pytest.mark.parametrize("what", GONE)
async def test_an_idle_engine_notices_within_a_minute_that_its_file_is_gone(tmp_path: Path, work: Any, what: str) -> None:
    """It ends, says why, and has written nothing into what stands there now."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path, clock = folder / "flowlet.db", VirtualClock(NEW_YEAR)
    engine = await Engine(path, dags=[work.dag()], clock=clock, durability="process", control=False).__aenter__()
    await clock.run_until(NEW_YEAR + timedelta(seconds=30))
    GONE[what](path)
    clock.advance(61)
    await engine.ended.wait()
    now = path.read_bytes() if path.exists() else b""
    with pytest.raises(StoreLost, match=r"was deleted or renamed|was replaced by another file"):
        await engine.trigger("work")
    with pytest.raises(StoreLost, match=str(path)):
        await engine.__aexit__(None, None, None)
    assert (path.read_bytes() if path.exists() else b"") == now


async def test_a_copy_of_the_file_with_its_lock_is_a_file_of_its_own(tmp_path: Path, work: Any, read: Any) -> None:
    """What stands in a lock file is for people; the lock itself is the kernel's, and no copy has it."""
    path, work_gate = tmp_path / "flowlet.db", work.gate
    other = tmp_path / "elsewhere"
    other.mkdir()
    copy = other / "flowlet.db"
    async with Engine(path, dags=[work.dag()], durability="process", control=False) as engine:
        await engine.trigger("work", run_id="r")
        await work.begun.wait()
        await engine._parts()[1].checkpoint()
        for name in ("", ".lock", ".seq"):
            shutil.copy(f"{path}{name}", f"{copy}{name}")
        assert '"pid"' in Path(f"{copy}.lock").read_text()
        work_gate.set()
        async with Engine(copy, dags=[work.dag()], durability="process", control=False) as second:
            run = await (await second.run("work", "r")).wait()
            assert (run.state, run.as_dict()["tries"]["first"]) == ("success", 2)
        await (await engine.run("work", "r")).wait()
    for file, tries in ((path, [(1,)]), (copy, [(1,), (2,)])):
        assert read(file, "SELECT try_number FROM attempts WHERE task_id = 'first' ORDER BY 1") == tries
    assert read(copy, "SELECT epoch FROM owner") == [(read(path, "SELECT epoch FROM owner")[0][0] + 1,)]


async def test_a_lock_file_that_a_dead_owner_left_is_no_obstacle(path: Path, work: Any) -> None:
    import json

    Path(f"{path}.lock").write_text(json.dumps({"pid": 2**22 - 1, "host": "gone", "since": "2020-01-01T00:00:00.000000Z"}))
    work.gate.set()
    async with Engine(path, dags=[work.dag()], durability="process", control=False) as engine:
        assert (await (await engine.trigger("work")).wait()).state == "success"
        facts = json.loads(Path(f"{path}.lock").read_text())
        assert facts["host"] != "gone"
