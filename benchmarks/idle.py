"""An engine with 1000 scheduled DAGs of which none is due, left alone for a minute.

What it wrote is told by the file's own sequence number, by its log, and by the bytes and calls that the
kernel counted for the process (proc(5), io). The limit is the hand-written loop's process, asleep.
`python benchmarks/idle.py [--dags N] [--seconds N] [--json]`
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from figures import Figure, arguments, beside, in_a_process, memory_mb, show

SETTLE = 0.5
"""Seconds after the start that do not count."""
PATIENCE = 20.0
"""Seconds within which an engine brings its log home after its last write, which it does once."""


def measure_flowlet(dags: int, seconds: float) -> dict[str, Any]:
    from flowlet import Engine

    async def live(path: str) -> dict[str, Any]:
        begun = time.perf_counter()
        async with Engine(path, dags=[_scheduled(number) for number in range(dags)]) as engine:
            opened = time.perf_counter() - begun
            assert len(engine.dags()) == dags
            await _come_to_rest(path)
            return {"opened": opened, **await _watch(path, seconds, "SELECT seq FROM owner")}

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(live(f"{folder}/flowlet.db"))


def measure_limit(seconds: float) -> dict[str, Any]:
    import limit

    async def live(path: str) -> dict[str, Any]:
        async with limit._open(path, "full"):
            return await _watch(path, seconds, "SELECT seq FROM owner")

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(live(f"{folder}/limit.db"))


def _scheduled(number: int) -> Any:
    from datetime import UTC, datetime

    from flowlet import DAG, EmptyOperator

    with DAG(f"yearly_{number}", schedule="0 0 29 2 *", start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EmptyOperator(task_id="nothing")
    return dag


async def _come_to_rest(path: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while Path(path + "-wal").stat().st_size:  # noqa: ASYNC110, ASYNC240  the file is looked at, as others see it
            await asyncio.sleep(0.05)


async def _watch(path: str, seconds: float, query: str) -> dict[str, Any]:
    """What an idle process does in the time: nothing, as far as possible."""
    await asyncio.sleep(SETTLE)
    with closing(sqlite3.connect(path)) as reader:

        def state() -> tuple[int, int, int, int, float]:
            io = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
            log = Path(path + "-wal").stat().st_size
            return reader.execute(query).fetchone()[0], log, int(io["wchar"]), int(io["write_bytes"]), time.process_time()

        before = state()
        await asyncio.sleep(seconds)
        after = state()
    seq, log, written, on_disk, busy = (b - a for a, b in zip(before, after, strict=True))
    return {
        "transactions": seq, "log": log, "written": written, "on_disk": on_disk, "busy": busy / seconds,
        "memory": memory_mb("VmRSS"),
    }  # fmt: skip


def figures(dags: int, seconds: int) -> Iterator[Figure]:
    theirs = in_a_process("idle", "measure_limit", seconds=min(seconds, 10))
    ours = in_a_process("idle", "measure_flowlet", dags=dags, seconds=seconds)
    what = f"idle with {dags} schedules"
    for name, unit, target in (
        ("transactions", "", "0"), ("log", "bytes", "0"), ("written", "bytes", "0"), ("on_disk", "bytes", "0"),
    ):  # fmt: skip
        yield beside(f"{what}: {name}", unit, ours[name], theirs[name], target)
    yield beside(f"{what}: CPU", "%", ours["busy"] * 100, theirs["busy"] * 100, "<= 0.05 %")
    yield beside(f"{what}: memory", "MB", ours["memory"], theirs["memory"], "<= 60 MB")
    yield Figure(f"{what}: made and opened", "s", round(ours["opened"], 3))


def main() -> None:
    given = arguments(__doc__, dags=1000, seconds=60)
    show(figures(given.dags, given.seconds), as_json=given.json)


if __name__ == "__main__":
    main()
