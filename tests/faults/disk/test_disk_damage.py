"""Bits that flip in the database, in its log, in both: noticed, or without consequence; never a loss in silence."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.errors import FlowletError, StoreError, StoreUnfit

pytestmark = pytest.mark.anyio

POSITIONS = int(os.environ.get("FLOWLET_FAULT_POSITIONS", "30"))
"""How many bits are flipped, one after the other; a long campaign sets 1,000."""

ENDED = [f"ended{number}" for number in range(12)]
ACTIVE = [f"active{number}" for number in range(3)]


def working(gate: asyncio.Event | None = None) -> DAG:
    with DAG("work") as dag:

        @task
        async def first() -> str:
            if gate is not None:
                await gate.wait()
            return "x" * 100

        @task
        async def second(value: str) -> int:
            return len(value)

        second(first())
    return dag


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def images(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Path:
    """A file as a crash leaves it, its log full of transactions, and one that was closed."""
    folder = tmp_path_factory.mktemp("images")
    path, gate = folder / "flowlet.db", asyncio.Event()
    async with Engine(path, dags=[working()], control=False) as engine:
        for name in ENDED:
            await (await engine.trigger("work", run_id=name)).wait()
    async with Engine(path, dags=[working(gate)], control=False) as engine:
        for name in ACTIVE:
            await engine.trigger("work", run_id=name)
        take(path, folder / "crashed")
        gate.set()
    take(path, folder / "closed")
    return folder


def take(path: Path, folder: Path) -> None:
    """A copy of the database and what lies beside it, as it is now."""
    folder.mkdir()
    for beside in ("", "-wal", ".seq"):
        if Path(f"{path}{beside}").exists():
            shutil.copy(f"{path}{beside}", folder / f"flowlet.db{beside}")


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock" and not file.name.endswith("-shm")}


def flip(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


async def live(path: Path, durability: str = "full") -> list[str]:
    """The states of all runs after an engine has worked on the file; raises what it raises."""
    async with Engine(path, dags=[working()], durability=durability, control=False) as engine, asyncio.timeout(10):
        runs = [await engine.run("work", name) for name in (*ENDED, *ACTIVE)]
        for run in (*runs, await engine.trigger("work")):
            await run.wait()
        return [str(run.state) for run in runs]


async def tried(path: Path) -> list[str] | FlowletError:
    """The same; an error of flowlet is given, any other is raised."""
    try:
        return await live(path)
    except FlowletError as refused:
        return refused


def flipped(images: Path, tmp_path: Path, image: str, beside: tuple[str, ...], number: int) -> Path:
    folder = tmp_path / str(number)
    shutil.copytree(images / image, folder)
    for name in beside:
        flip(folder / f"flowlet.db{name}", random.Random(number))
    return folder


async def test_nothing_is_wrong_with_the_images(images: Path, tmp_path: Path) -> None:
    for image in ("closed", "crashed"):
        folder = flipped(images, tmp_path, image, (), len(image))
        assert await live(folder / "flowlet.db") == ["success"] * 15


async def test_a_bit_in_the_log_is_always_noticed_and_nothing_is_touched(images: Path, tmp_path: Path) -> None:
    """SQLite itself drops what stands behind it and calls the rest sound."""
    noticed = 0
    for number in range(POSITIONS):
        folder = flipped(images, tmp_path, "crashed", ("-wal",), number)
        before, found = content(folder), await tried(folder / "flowlet.db")
        if isinstance(found, StoreUnfit):
            noticed += 1
            assert "went back in time" in str(found) or "damaged" in str(found), number
            assert content(folder) == before, number
        else:
            assert found == ["success"] * 15, number
    assert noticed > POSITIONS * 0.8


async def test_a_bit_in_the_log_is_an_event_where_a_power_cut_may_take_the_last_moments(images: Path, tmp_path: Path, read: Any) -> None:
    folder = flipped(images, tmp_path, "crashed", ("-wal",), 1)
    with pytest.raises(FlowletError, match="no run 'active"):  # the last moments are gone, and that is told
        await live(folder / "flowlet.db", "process")
    ((text,),) = read(folder / "flowlet.db", "SELECT text FROM events WHERE kind = 'went_back'")
    assert "transactions are gone" in text


@pytest.mark.parametrize(("image", "beside"), [("closed", ("",)), ("crashed", ("",)), ("crashed", ("", "-wal"))])
async def test_a_bit_in_the_database_is_refused_by_name_or_costs_no_run(
    images: Path, tmp_path: Path, image: str, beside: tuple[str, ...]
) -> None:
    """Whatever it hits: an error of flowlet that names the file, or an engine that works; never anything else."""
    for number in range(POSITIONS):
        folder = flipped(images, tmp_path, image, beside, number)
        found = await tried(folder / "flowlet.db")
        if isinstance(found, StoreError):
            assert str(folder / "flowlet.db") in str(found), number
        elif not isinstance(found, FlowletError):  # a letter of a name was hit: no run of that name is known
            assert set(found) == {"success"}, number
