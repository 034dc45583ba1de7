"""max_consecutive_failed_dag_runs counts on across a restart (Airflow: core/models/dagrun.py)."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet import DAG, PythonOperator

pytestmark = pytest.mark.anyio


def limited(limit: int) -> DAG:
    def body(dag_run: Any) -> None:
        if dag_run.conf.get("fails", True):
            raise ValueError("as asked")

    with DAG("limited", max_consecutive_failed_dag_runs=limit) as dag:
        PythonOperator(task_id="body", python_callable=body)
    return dag


async def ends(engine: Any, **conf: Any) -> str:
    return str((await (await engine.trigger("limited", conf=conf)).wait()).state)


async def test_failures_before_a_restart_count(engine_of: Any, book: Any) -> None:
    for _ in range(2):
        async with engine_of(limited(3)) as engine:
            assert await ends(engine) == "failed"
        assert book.kinds() == []
    async with engine_of(limited(3)) as engine:
        assert await ends(engine) == "failed"
    assert book.events() == [("paused", None, "the last 3 runs failed (max_consecutive_failed_dag_runs)")]
    async with engine_of(limited(3)) as engine:
        run = await engine.trigger("limited")
        assert run.reason == "the DAG 'limited' is paused"


async def test_a_success_before_a_restart_ends_the_count(engine_of: Any, book: Any) -> None:
    async with engine_of(limited(2)) as engine:
        assert [await ends(engine), await ends(engine, fails=False)] == ["failed", "success"]
    async with engine_of(limited(2)) as engine:
        assert await ends(engine) == "failed"
    assert book.kinds() == []
    async with engine_of(limited(2)) as engine:
        assert await ends(engine) == "failed"
    assert book.kinds() == ["paused"]
