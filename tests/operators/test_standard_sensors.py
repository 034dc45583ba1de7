"""Sensors that wait for files, commands, moments and days, on a virtual clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowlet import DAG, DagError, Engine, PythonOperator
from flowlet.clock import VirtualClock
from flowlet.operators.bash_sensor import BashSensor
from flowlet.operators.file_sensor import FileSensor
from flowlet.operators.time_sensors import (
    DateTimeSensor,
    DateTimeSensorAsync,
    TimeDeltaSensor,
    TimeSensor,
    WaitSensor,
)
from flowlet.operators.weekday import DayOfWeekSensor

Run = Callable[..., Any]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def wait(run: Run, sensor: type, *, zone: Any = UTC, **arguments: Any) -> tuple[Any, datetime]:
    """Run a sensor alone from noon of New Year on; gives what became of it, and when it ended."""
    from flowlet.clock import from_micros

    clock = VirtualClock(NOON, auto=True)
    with DAG("waiting", start_date=datetime(2026, 1, 1, tzinfo=zone)) as dag:
        sensor(task_id="wait", **arguments)
    told = run(dag, clock=clock)
    return told, from_micros(clock.now())


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(
    ("sensor", "arguments", "until"),
    [
        (DateTimeSensor, {"target_time": NOON + timedelta(seconds=90)}, NOON + timedelta(seconds=90)),
        (DateTimeSensor, {"target_time": "2026-01-01T13:00:00"}, NOON + timedelta(hours=1)),
        (DateTimeSensor, {"target_time": "{{ logical_date }}"}, NOON),
        (TimeSensor, {"target_time": time(18, 30)}, datetime(2026, 1, 1, 18, 30, tzinfo=UTC)),
        (TimeSensor, {"target_time": time(9)}, NOON),
        (TimeDeltaSensor, {"delta": timedelta(hours=14)}, NOON + timedelta(hours=2)),
        (TimeDeltaSensor, {"delta": "{{ 13 * 60 }}"}, NOON + timedelta(hours=1)),
        (WaitSensor, {"time_to_wait": 7}, NOON + timedelta(minutes=7)),
    ],
)
def test_a_moment_is_waited_for_and_no_longer(run: Run, sensor: type, arguments: Any, until: datetime, mode: str) -> None:
    told, ended = wait(run, sensor, mode=mode, deferrable=True, **arguments)
    assert told.tasks == {"wait": "success"}
    assert timedelta(0) <= ended - until < timedelta(seconds=1)


@pytest.mark.parametrize("end_from_trigger", [False, True])
@pytest.mark.parametrize(
    ("sensor", "deferrable"),
    [(DateTimeSensor, {"deferrable": True}), (DateTimeSensor, {}), (DateTimeSensorAsync, {})]
)
def test_one_that_is_deferrable_takes_no_slot_while_it_waits(sensor: type, deferrable: Any, end_from_trigger: bool) -> None:
    with DAG("waiting", max_active_tasks=1) as dag:
        for hours in (2, 1):
            until = NOON + timedelta(hours=hours)
            sensor(task_id=f"wait{hours}", target_time=until, end_from_trigger=end_from_trigger, poke_interval=1, **deferrable)
    order: list[str] = []

    async def watch() -> None:
        clock = VirtualClock(NOON, auto=True)
        async with Engine(dags=[dag], clock=clock) as engine:
            engine.listeners.subscribe(lambda event: order.append(event.task_id) if type(event).__name__ == "TaskEnded" else None)
            await (await engine.trigger("waiting")).wait()

    asyncio.run(watch())
    waits_aside = bool(deferrable) or sensor is DateTimeSensorAsync
    assert order == (["wait1", "wait2"] if waits_aside else ["wait2", "wait1"])


def test_one_that_is_deferrable_times_out_as_a_sensor(run: Run) -> None:
    arguments: dict[str, Any] = {"target_time": NOON + timedelta(days=1), "timeout": 600, "retries": 3}
    told, ended = wait(run, DateTimeSensorAsync, **arguments)
    assert (told.errors, ended) == ({"wait": ["SensorTimeout"]}, NOON + timedelta(minutes=10))
    told, _ = wait(run, DateTimeSensorAsync, soft_fail=True, **arguments)
    assert told.tasks == {"wait": "skipped"}


def test_a_time_of_the_day_is_read_in_the_time_zone_of_the_dag(run: Run) -> None:
    _, ended = wait(run, TimeSensor, zone=ZoneInfo("Europe/Berlin"), target_time=time(18))
    assert ended - datetime(2026, 1, 1, 17, tzinfo=UTC) < timedelta(seconds=1)


def test_a_moment_beyond_the_timeout_is_not_waited_for(run: Run) -> None:
    told, ended = wait(run, DateTimeSensor, target_time="2026-01-02T00:00:00", timeout=600, retries=3)
    assert told.errors == {"wait": ["SensorTimeout"]}
    assert ended == NOON + timedelta(minutes=10)


def test_what_is_no_moment_fails_the_sensor(run: Run) -> None:
    told, _ = wait(run, DateTimeSensor, target_time="tomorrow")
    assert told.reasons["wait"].startswith("FlowletError: 'tomorrow' is no moment")
    told, _ = wait(run, TimeDeltaSensor, delta="soon")
    assert told.reasons["wait"] == "FlowletError: delta must be a timedelta or a number of minutes, not 'soon'"


def test_a_day_of_the_week_is_waited_for(run: Run) -> None:
    told, ended = wait(run, DayOfWeekSensor, week_day={"Saturday", "Sunday"}, poke_interval=3600)
    assert told.tasks == {"wait": "success"}
    assert timedelta(0) <= ended - datetime(2026, 1, 3, tzinfo=UTC) < timedelta(hours=1)  # 1 January is a Thursday
    told, _ = wait(run, DayOfWeekSensor, week_day="Friday", use_task_logical_date=True, timeout=60)
    assert told.errors == {"wait": ["SensorTimeout"]}
    with pytest.raises(DagError, match="week_day must be days of the week"):
        wait(run, DayOfWeekSensor, week_day=8)


# -- files -----------------------------------------------------------------------------------------------


def test_a_file_a_pattern_and_a_folder_that_is_not_empty_are_seen(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)

    def seen(path: str, **arguments: Any) -> bool:
        told, _ = wait(run, FileSensor, filepath=f"{tmp_path}/{path}", timeout=60, **arguments)
        return bool(told.tasks["wait"] == "success")

    assert [seen("in"), seen("in/*.csv"), seen("in/deep/x.csv")] == [False, False, False]
    (tmp_path / "in" / "deep" / "x.csv").touch()
    assert [seen("in"), seen("in/deep/x.csv"), seen("in/**/*.csv", recursive=True)] == [True, True, True]
    assert not seen("in/*.csv")


def test_a_relative_path_starts_at_the_folder_of_the_connection(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "x.csv").touch()
    monkeypatch.setenv("AIRFLOW_CONN_LANDING", f'{{"conn_type": "fs", "extra": {{"path": "{tmp_path}"}}}}')
    told, _ = wait(run, FileSensor, filepath="x.csv", fs_conn_id="landing")
    assert told.tasks == {"wait": "success"}
    told, _ = wait(run, FileSensor, filepath="x.csv", fs_conn_id="nowhere")
    assert told.errors == {"wait": ["ConnectionNotFound"]}


# -- commands --------------------------------------------------------------------------------------------


def test_a_command_is_tried_until_it_succeeds(run: Run, tmp_path: Path) -> None:
    command = f"echo look >> {tmp_path}/looks; [ $(wc -l < {tmp_path}/looks) = 3 ]"
    told, ended = wait(run, BashSensor, bash_command=command, poke_interval=10)
    assert told.tasks == {"wait": "success"}
    assert ended - NOON == timedelta(seconds=20)


def test_an_exit_code_that_does_not_say_again_fails_the_sensor_for_good(run: Run) -> None:
    told, _ = wait(run, BashSensor, bash_command="exit 3", retry_exit_code=2, retries=5)
    assert (told.errors, told.tries) == ({"wait": ["FailTask"]}, {"wait": 1})
    assert "exit code 3" in told.reasons["wait"]
    told, _ = wait(run, BashSensor, bash_command="exit 2", retry_exit_code=2, timeout=30)
    assert told.errors == {"wait": ["SensorTimeout"]}


def test_env_replaces_the_environment_of_the_command(run: Run) -> None:
    told, _ = wait(run, BashSensor, bash_command='[ "$A" = "{{ ds }}" ] && [ -z "$HOME" ]', env={"A": "2026-01-01"})
    assert told.tasks == {"wait": "success"}


def test_a_file_may_be_waited_for_without_a_slot(tmp_path: Path) -> None:
    """The first holds the one slot only while it looks, so the second, which makes the file, comes to its turn."""
    path = tmp_path / "there"
    with DAG("waiting", max_active_tasks=1) as dag:
        FileSensor(task_id="a_wait", filepath=str(path), deferrable=True, poke_interval=60, priority_weight=9)
        PythonOperator(task_id="make", python_callable=lambda: path.write_text("x"))

    async def watch() -> dict[str, Any]:
        async with Engine(dags=[dag], clock=VirtualClock(NOON, auto=True)) as engine:
            story: dict[str, Any] = (await (await engine.trigger("waiting")).wait()).as_dict()
            return story

    story = asyncio.run(watch())
    assert (story["state"], story["tries"]["a_wait"]) == ("success", 1)


def test_where_nobody_says_a_setting_says_whether_it_is_deferrable() -> None:
    ask = "from flowlet.operators.file_sensor import FileSensor as F; print(F(task_id='a', filepath='x').deferrable)"
    for text, answer in (("true", "True"), ("", "False")):
        environment = {**os.environ, "FLOWLET__OPERATORS__DEFAULT_DEFERRABLE": text}
        told = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == answer
