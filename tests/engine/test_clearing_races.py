"""Clearing a run that somebody else takes away meanwhile: the answer is what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.errors import FlowletError

pytestmark = pytest.mark.anyio


def etl() -> DAG:
    with DAG("etl") as dag:

        @task
        async def body() -> int:
            return 1

        body()
    return dag


VERBS: dict[str, Callable[[Engine], Awaitable[Any]]] = {
    "clear": lambda engine: engine.clear("etl", "old"),
    "set_task_state": lambda engine: engine.set_task_state("etl", "old", "body", "failed"),
    "set_run_state": lambda engine: engine.set_run_state("etl", "old", "failed"),
    "queue": lambda engine: engine.set_run_state("etl", "old", "queued"),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_run_that_is_pruned_meanwhile_is_not_said_to_be_changed(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine(tmp_path / "flowlet.db", dags=[etl()], durability="process") as engine:
        for name in ("old", "new"):
            await (await engine.trigger("etl", run_id=name, logical_date=None)).wait()
        find_runs = engine.find_runs

        async def find_and_lose(*given: Any, **more: Any) -> Any:
            found = await find_runs(*given, **more)
            assert await engine.prune(keep_days=0, keep_runs=1) >= 1
            return found

        monkeypatch.setattr(engine, "find_runs", find_and_lose)
        with pytest.raises(FlowletError, match="'old' of DAG 'etl' is not as it was"):
            await VERBS[verb](engine)
        monkeypatch.undo()
        assert (await (await engine.trigger("etl")).wait()).state == "success"
