"""What the callbacks of a DAG are told of a run that ended (Airflow: callbacks.rst, scheduler_job_runner.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlet import DAG, Engine, PythonSensor
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_run_that_took_too_long_is_told_as_timed_out_and_its_tasks_have_no_callback() -> None:
    told: list[tuple[str, str]] = []

    def on_failure(context: Any) -> None:
        told.append((context["run_id"], context["reason"]))

    with DAG("slow", dagrun_timeout=timedelta(minutes=5), on_failure_callback=[on_failure, on_failure]) as dag:
        PythonSensor(task_id="never", python_callable=lambda: False, on_failure_callback=on_failure, on_skipped_callback=on_failure)
    async with Engine(dags=[dag], clock=VirtualClock(NEW_YEAR, auto=True)) as engine:
        run = await (await engine.trigger("slow", run_id="mine")).wait()
        assert (run.state, run.task_states) == ("failed", {"never": "skipped"})
    assert told == [("mine", "timed_out")] * 2
