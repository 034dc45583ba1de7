"""Clearing and marking what is at work: a coroutine, a `def` body in a thread, a command, and what waits for something."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowlet import DAG, BashOperator, Engine, task
from flowlet.operators.hitl import ApprovalOperator
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


async def until(condition: Callable[[], Any]) -> None:
    """Something that a thread or a process does: wait for it, but not for ever."""
    with anyio.fail_after(8):
        while not condition():
            await anyio.lowlevel.checkpoint()
            await anyio.to_thread.run_sync(os.sched_yield)


async def attempts(engine: Engine, run: Any) -> list[tuple[int, str]]:
    return [(row[2], row[3]) for row in await engine.fetch("attempts_of_run", run=run._run.id)]


class Threads:
    """A `def` body whose tries each wait behind a door of their own."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.doors = {number: threading.Event() for number in (1, 2, 3)}
        self.ended: list[int] = []

    def dag(self) -> DAG:
        with DAG("etl") as dag:

            @task
            def body(ti: Any) -> int:
                self.began.append(ti.try_number)
                assert self.doors[ti.try_number].wait(20)
                self.ended.append(ti.try_number)
                return int(ti.try_number)

            body()
        return dag


async def test_a_cleared_thread_is_not_waited_for_and_its_late_result_is_worth_nothing() -> None:
    threads = Threads()
    async with Engine(dags=[threads.dag()]) as engine:
        run = await engine.trigger("etl", run_id="r")
        await until(lambda: threads.began == [1])
        assert await engine.clear("etl", "r") == [("r", "body", -1)]
        threads.doors[2].set()
        await run.wait()
        assert (run.state, threads.began, threads.ended) == ("success", [1, 2], [2])
        assert engine.executor.abandoned == 1
        threads.doors[1].set()
        await until(lambda: threads.ended == [2, 1])
        assert await run.xcom("body") == 2
        assert await attempts(engine, run) == [(1, "cancelled"), (2, "succeeded")]


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
async def test_the_late_result_of_a_marked_thread_is_worth_nothing(state: str) -> None:
    threads = Threads()
    async with Engine(dags=[threads.dag()]) as engine:
        run = await engine.trigger("etl", run_id="r")
        await until(lambda: threads.began == [1])
        await engine.set_task_state("etl", "r", "body", state)
        threads.doors[1].set()
        await run.wait()
        await until(lambda: threads.ended == [1])
        assert run.task_states == {"body": state}
        assert await run.xcom("body") is None
        assert await attempts(engine, run) == [(1, "cancelled")]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def command(folder: Path) -> DAG:
    with DAG("etl") as dag:
        BashOperator(task_id="body", bash_command=f"echo $$ > {folder}/new; mv {folder}/new {folder}/pid; test {{{{ ti.try_number }}}} -gt 1 || sleep 60")
    return dag


@pytest.mark.parametrize("verb", ["clear", "success", "failed"])
async def test_the_processes_of_a_command_end_when_it_is_cleared_or_marked(tmp_path: Path, verb: str) -> None:
    async with Engine(dags=[command(tmp_path)]) as engine:
        run = await engine.trigger("etl", run_id="r")
        await until((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        if verb == "clear":
            await engine.clear("etl", "r")
        else:
            await engine.set_task_state("etl", "r", "body", verb)
        await run.wait()
        await until(lambda: not is_there(pid))
        assert run.task_states == {"body": "success" if verb == "clear" else verb}
        expected = [(1, "cancelled"), (2, "succeeded")] if verb == "clear" else [(1, "cancelled")]
        assert await attempts(engine, run) == expected


@pytest.mark.parametrize("verb", ["clear", "success", "failed"])
async def test_a_running_operator_is_told_that_it_is_stopped(verb: str) -> None:
    from flowlet import BaseOperator

    began, killed = threading.Event(), threading.Event()

    class Watched(BaseOperator):
        def execute(self, context: Any) -> None:
            if context["ti"].try_number == 1:
                began.set()
                assert killed.wait(20)

        def on_kill(self) -> None:
            killed.set()

    with DAG("etl") as dag:
        Watched(task_id="body")
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger("etl", run_id="r")
        await until(began.is_set)
        await (engine.clear("etl", "r") if verb == "clear" else engine.set_task_state("etl", "r", "body", verb))
        await run.wait()
        await until(killed.is_set)
        assert run.task_states == {"body": "success" if verb == "clear" else verb}


def asking() -> DAG:
    with DAG("etl") as dag:
        ApprovalOperator(task_id="body", subject="Shall it be?")
    return dag


def poking(door: list[int]) -> DAG:
    with DAG("etl") as dag:

        @task.sensor(task_id="body", mode="reschedule", poke_interval=60)
        async def body() -> bool:
            return bool(door)

        body()
    return dag


def retrying(door: list[int]) -> DAG:
    with DAG("etl") as dag:

        @task(task_id="body", retries=1, retry_delay=timedelta(days=1))
        async def body() -> None:
            assert door

        body()
    return dag


def deferring(door: list[int]) -> DAG:
    from flowlet.operators.time_sensors import DateTimeSensorAsync

    with DAG("etl") as dag:
        DateTimeSensorAsync(task_id="body", target_time=NEW_YEAR + timedelta(days=1))
    return dag


WAITING = {
    "deferred": deferring, "awaiting_input": lambda door: asking(), "up_for_reschedule": poking, "up_for_retry": retrying,
}  # fmt: skip


async def waiting(engine: Engine, state: str) -> Any:
    run = await engine.trigger("etl", run_id="r")
    await until(lambda: run.task_states == {"body": state})
    return run


@pytest.mark.parametrize("state", WAITING)
async def test_what_waits_and_is_cleared_starts_anew(state: str) -> None:
    door: list[int] = []
    async with Engine(dags=[WAITING[state](door)], clock=VirtualClock(NEW_YEAR)) as engine:
        run = await waiting(engine, state)
        before = run.as_dict()["tries"]["body"]
        assert await engine.clear("etl", "r") == [("r", "body", -1)]
        await until(lambda: run.task_states == {"body": state})
        assert run.as_dict()["tries"]["body"] == before + 1
        assert run.state == "running"
        await engine.set_task_state("etl", "r", "body", "success")
        await run.wait()
        assert (run.state, run.task_states) == ("success", {"body": "success"})


@pytest.mark.parametrize("verdict", ["success", "failed", "skipped"])
@pytest.mark.parametrize("state", WAITING)
async def test_what_waits_and_is_marked_has_ended_and_nothing_wakes_it(state: str, verdict: str) -> None:
    clock = VirtualClock(NEW_YEAR)
    async with Engine(dags=[WAITING[state]([])], clock=clock) as engine:
        run = await waiting(engine, state)
        tried = await attempts(engine, run)
        await engine.set_task_state("etl", "r", "body", verdict)
        await run.wait()
        clock.advance(timedelta(days=3))
        await engine.pools()  # a turn later
        assert run.task_states == {"body": verdict}
        assert run.state == ("failed" if verdict == "failed" else "success")
        assert len(await attempts(engine, run)) == len(tried) <= 1
