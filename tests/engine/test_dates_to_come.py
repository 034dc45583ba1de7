"""A run whose logical date is to come exists, and is left alone until then (Airflow: ti_deps/deps/runnable_exec_date_dep.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowlet import DAG, Engine, task
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATE = NOW + timedelta(hours=1)


def adding() -> DAG:
    with DAG("adding") as dag:

        @task
        def one() -> int:
            return 1

        one()
    return dag


async def states(engine: Engine, run_id: str) -> list[str]:
    return list((await engine.run("adding", run_id)).as_dict()["tasks"].values())


async def test_it_is_left_alone_until_its_date() -> None:
    clock = VirtualClock(NOW)
    async with Engine(dags=[adding()], clock=clock, control=False) as engine:
        run = await engine.trigger("adding", logical_date=DATE)
        await clock.run_until(DATE - timedelta(seconds=1))
        assert await states(engine, run.run_id) == ["none"]
        await clock.run_until(DATE)
        assert (await run.wait()).state == "success"


async def test_others_need_not_wait_for_it() -> None:
    clock = VirtualClock(NOW)
    async with Engine(dags=[adding()], clock=clock, control=False) as engine:
        later = await engine.trigger("adding", logical_date=DATE)
        assert (await (await engine.trigger("adding")).wait()).state == "success"
        assert await states(engine, later.run_id) == ["none"]


async def test_a_restart_does_not_hasten_it(tmp_path: Path) -> None:
    path, clock = tmp_path / "flowlet.db", VirtualClock(NOW)
    async with Engine(path, dags=[adding()], clock=clock, control=False) as engine:
        run_id = (await engine.trigger("adding", logical_date=DATE)).run_id
    async with Engine(path, dags=[adding()], clock=clock, control=False) as engine:
        await clock.run_until(DATE - timedelta(seconds=1))
        assert await states(engine, run_id) == ["none"]
        await clock.run_until(DATE)
        assert (await (await engine.run("adding", run_id)).wait()).state == "success"
