"""What a short program pays for, and what closing is shielded from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from flowlet import DAG, Engine, StoreOwned, task
from flowlet.engine.shield import BACKEND

ONLY_WHEN_USED = ("rich", "jinja2", "croniter", "zoneinfo", "jsonschema", "typing_extensions", BACKEND)
PROGRAM = """
import asyncio, sys
from flowlet import DAG, Engine, task

with DAG("short") as dag:
    @task
    async def one() -> int:
        return 1
    one()

async def main():
    async with Engine("short.db", dags=[dag]) as engine:
        run = await (await engine.trigger("short")).wait()
        assert run.state == "success"

asyncio.run(main())
"""


def loaded_by(program: str, folder: Path) -> set[str]:
    listing = program + "\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_short_program_loads_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    assert loaded_by(PROGRAM, tmp_path).isdisjoint(ONLY_WHEN_USED)


def test_whoever_enters_a_scope_of_anyio_has_loaded_what_the_shield_looks_for(tmp_path: Path) -> None:
    entering = "import anyio, asyncio, sys\nasync def main():\n    with anyio.CancelScope():\n        pass\nasyncio.run(main())"
    assert BACKEND in loaded_by(entering, tmp_path)


@pytest.mark.anyio
async def test_a_cancelled_scope_of_anyio_does_not_tear_off_the_closing(tmp_path: Path) -> None:
    with DAG("endless") as dag:

        @task
        async def endless() -> None:
            await anyio.sleep_forever()

        endless()

    path = tmp_path / "flowlet.db"
    with anyio.CancelScope() as scope:
        async with Engine(path, dags=[dag], grace=0.1) as engine:
            await engine.trigger("endless")
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert engine.ended.is_set()
    try:
        async with Engine(path):
            pass
    except StoreOwned:
        pytest.fail("the file was not given free")
