"""Bodies that do not end, or hold up everybody: named, timed out, abandoned, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flowlet import DAG, BashOperator, LocalExecutor, PythonOperator, PythonSensor
from flowlet.executors import watchdog
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
SOON = timedelta(milliseconds=20)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something is so."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.to_thread(threading.Event().wait, 0.002)


# -- the loop is held up ------------------------------------------------------------------------------


@pytest.fixture
def alert(monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    """An executor whose watchdog barks after a twentieth of a second."""
    monkeypatch.setattr(watchdog, "_HELD_UP", 0.1)
    defaults = watchdog.Watchdog.__init__.__kwdefaults__
    monkeypatch.setattr(watchdog.Watchdog.__init__, "__kwdefaults__", {**defaults, "threshold": 0.05})
    return LocalExecutor()


async def test_a_body_that_blocks_the_loop_is_an_event_with_task_and_line(
    engine_of: Any, book: Any, alert: LocalExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    async def blocks() -> int:
        while not caplog.records:
            threading.Event().wait(0.005)
        return 1

    with DAG("blocking") as dag:
        PythonOperator(task_id="body", python_callable=blocks)
    with caplog.at_level(logging.WARNING):
        async with engine_of(dag, executor=alert) as engine:
            run = await (await engine.trigger("blocking")).wait()
    assert run.state == "success"
    line = blocks.__code__.co_firstlineno
    where = re.compile(rf"task 'body' of DAG 'blocking' blocked the event loop at {__file__}:({line + 1}|{line + 2}):")
    assert [task_id for task_id, text in book.stalls() if where.search(text)] == ["body"]
    assert book.attempts() == [("body", 1, "succeeded", None)]


@pytest.fixture
def hold_the_gil() -> Callable[[], object]:
    """A pattern that backtracks for more than a quarter of a second, in one call of C that never lets go.

    Measured in time of the processor, which a busy machine does not stretch.
    """
    for length in range(16, 40):
        text, began = "a" * length + "b", time.thread_time()
        re.match(r"(a+)+$", text)
        if time.thread_time() - began > 0.25:
            return lambda: re.match(r"(a+)+$", text)
    raise AssertionError("this machine is too fast")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
async def test_code_that_holds_the_gil_is_told_late_and_nothing_runs_twice(
    engine_of: Any, book: Any, alert: LocalExecutor, hold_the_gil: Callable[[], object], asynchronous: bool
) -> None:
    ran: list[int] = []

    def call(ti: Any) -> None:
        ran.append(ti.try_number)
        hold_the_gil()

    async def coroutine(ti: Any) -> None:
        call(ti)

    with DAG("gil") as dag:
        PythonOperator(task_id="body", python_callable=coroutine if asynchronous else call, retries=2)
    async with engine_of(dag, executor=alert) as engine:
        run = await (await engine.trigger("gil")).wait()
        await until(lambda: alert._watchdog._found is None)
    assert run.state == "success"
    assert ran == [1]
    assert book.attempts() == [("body", 1, "succeeded", None)]
    stood_still = "the process stood still (it was stopped, or something held the GIL) while task 'body' of DAG 'gil' executed"
    assert [task_id for task_id, text in book.stalls() if stood_still in text][:1] == ["body"]


async def test_the_watchdog_sleeps_while_nothing_executes(engine_of: Any, alert: LocalExecutor) -> None:
    with DAG("short") as dag:
        PythonOperator(task_id="body", python_callable=lambda: 1)
    async with engine_of(dag, executor=alert) as engine:
        assert not alert._watchdog._started
        await (await engine.trigger("short")).wait()
        assert alert._watchdog._started
        await until(lambda: not alert._watchdog._awake)


# -- a thread that does not end -----------------------------------------------------------------------


def staying(gate: threading.Event) -> Callable[[], str]:
    def stays() -> str:
        gate.wait()
        return "late"

    return stays


async def test_a_thread_past_its_time_frees_its_slots_and_what_it_brings_later_changes_nothing(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    with DAG("stuck") as dag:
        first = PythonOperator(
            task_id="first", python_callable=staying(gate), execution_timeout=SOON, pool="one", do_xcom_push=True
        )
        PythonOperator(task_id="second", python_callable=lambda: 2, pool="one", trigger_rule="all_done").set_upstream(first)
    executor = LocalExecutor(parallelism=1)
    async with engine_of(dag, executor=executor, pools={"one": 1}) as engine:
        run = await (await engine.trigger("stuck")).wait()
        assert run.task_states == {"first": "failed", "second": "success"}
        assert (await engine.pools())["one"] == {"slots": 1, "used": 0}
        assert executor.abandoned == 1
        gate.set()
        await until(lambda: not executor.abandoned)
    timed_out, second = book.attempts()
    assert timed_out[:3] == ("first", 1, "timed_out")
    assert timed_out[3].endswith("; its thread cannot be stopped and is abandoned")
    assert second == ("second", 1, "succeeded", None)
    assert book.events() == [
        ("abandoned", "first", "its thread goes on (1 of at most 16)"),
        ("late_result_discarded", "first", "try 1 came back as succeeded after it had been given up"),
    ]
    assert book.rows("SELECT task_id FROM xcoms") == [("second",)]


async def test_a_retry_may_overlap_the_thread_of_the_try_before(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    tries: list[int] = []

    def body(ti: Any) -> str:
        tries.append(ti.try_number)
        if ti.try_number == 1:
            gate.wait()
        return f"of try {ti.try_number}"

    with DAG("again") as dag:
        PythonOperator(task_id="body", python_callable=body, execution_timeout=timedelta(seconds=0.2), retries=1)
    executor = LocalExecutor()
    async with engine_of(dag, executor=executor) as engine:
        run = await (await engine.trigger("again")).wait()
        gate.set()
        await until(lambda: not executor.abandoned)
        assert await run.xcom("body") == "of try 2"
    assert tries == [1, 2]
    assert [row[:3] for row in book.attempts()] == [("body", 1, "timed_out"), ("body", 2, "succeeded")]
    assert book.kinds() == ["abandoned", "late_result_discarded"]


class Confused(LocalExecutor):
    """An executor that delivers what comes late as if nothing had been."""

    async def open(self, worker: Any, deliver: Any, discard: Any) -> None:
        await super().open(worker, deliver, deliver)


async def test_a_late_result_is_never_taken_for_that_of_the_try_that_runs(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    begun, second = threading.Event(), threading.Event()

    def body(ti: Any) -> str:
        begun.set()
        (gate if ti.try_number == 1 else second).wait()
        return f"of try {ti.try_number}"

    with DAG("again") as dag:
        PythonOperator(task_id="body", python_callable=body, retries=1)
    executor = Confused()
    async with engine_of(dag, executor=executor) as engine:
        run = await engine.trigger("again")
        await until(begun.is_set)
        (attempt,) = executor._live.values()
        executor._stop(attempt, "timed_out", "it is given up")
        await until(lambda: len(book.attempts()) == 2)  # the second one runs
        gate.set()
        await until(lambda: "late_result_discarded" in book.kinds())
        assert run.state == "running"
        second.set()
        await run.wait()
        assert await run.xcom("body") == "of try 2"
    assert [row[:3] for row in book.attempts()] == [("body", 1, "timed_out"), ("body", 2, "succeeded")]


class Fickle(PythonOperator):
    """An operator that does not even say whether it blocks."""

    @property
    def is_async(self) -> bool:
        if "trigger_rule" in vars(self):
            raise SystemExit(4)
        return False


async def test_at_too_many_abandoned_threads_calls_wait_and_say_why_and_coroutines_go(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    async def coroutine() -> int:
        return 1

    with DAG("many") as dag:
        stuck = [
            PythonOperator(task_id=f"stuck_{n}", python_callable=staying(gate), execution_timeout=SOON) for n in (1, 2)
        ]
        call = PythonOperator(task_id="call", python_callable=lambda: 1, trigger_rule="all_done")
        loop = PythonOperator(task_id="coroutine", python_callable=coroutine, trigger_rule="all_done")
        fickle = Fickle(task_id="fickle", python_callable=coroutine, trigger_rule="all_done")
        for task in stuck:
            task >> [call, loop, fickle]
    executor = LocalExecutor(max_abandoned=2)
    async with engine_of(dag, executor=executor) as engine:
        run = await engine.trigger("many")
        await until(lambda: run.task_states["coroutine"] == "success")
        assert run.task_states["call"] == "scheduled"
        why = await engine.why("many", run.run_id, "call")
        assert why == "waiting for a slot: too many abandoned threads; they end by themselves or with the process"
        gate.set()
        await run.wait()
    assert run.task_states["call"] == "success"
    assert run.task_states["fickle"] == "failed"


async def test_at_too_many_abandoned_threads_sensors_do_not_look_until_there_are_fewer(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    looked: list[int] = []

    def look() -> bool:
        looked.append(1)
        return gate.is_set()

    with DAG("watching") as dag:
        PythonOperator(task_id="stuck", python_callable=staying(gate), execution_timeout=SOON)
        PythonSensor(task_id="sensor", python_callable=look, poke_interval=600)
    executor = LocalExecutor(max_abandoned=1)
    clock = VirtualClock(0)
    async with engine_of(dag, executor=executor, clock=clock) as engine:
        run = await engine.trigger("watching")
        await until(lambda: "threads_exhausted" in book.kinds() and looked)
        seen = len(looked)
        clock.advance(timedelta(hours=1))
        await until(lambda: engine.brain.admission.pokes)
        assert len(looked) == seen
        gate.set()
        await run.wait()
    assert run.task_states == {"stuck": "failed", "sensor": "success"}
    assert len(looked) == seen + 1


async def test_the_engine_stops_though_a_thread_does_not(
    engine_of: Any, book: Any, gate: threading.Event
) -> None:
    begun = threading.Event()

    def stays() -> None:
        begun.set()
        gate.wait()

    with DAG("stuck") as dag:
        PythonOperator(task_id="body", python_callable=stays)
    async with engine_of(dag, grace=0.01) as engine:
        await engine.trigger("stuck")
        await asyncio.to_thread(begun.wait, 5)
    ((_, _, outcome, reason),) = book.attempts()
    assert outcome == "interrupted"
    assert reason == "the engine was stopped; its thread cannot be stopped and is abandoned"
    assert book.rows("SELECT state FROM tasks") == [("scheduled",)]


# -- a coroutine that swallows its cancellation -------------------------------------------------------


async def test_coroutines_that_swallow_their_cancellation_time_out_and_nobody_waits(engine_of: Any, book: Any) -> None:
    async def once() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "as if nothing had been"

    async def for_ever() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    with DAG("swallowing") as dag:
        PythonOperator(task_id="for_ever", python_callable=for_ever, execution_timeout=SOON)
        PythonOperator(task_id="once", python_callable=once, execution_timeout=SOON)
    async with engine_of(dag, executor=LocalExecutor(patience=0.02)) as engine:
        run = await (await engine.trigger("swallowing")).wait()
    assert set(run.task_states.values()) == {"failed"}
    assert [row[:3] for row in book.attempts()] == [("for_ever", 1, "timed_out"), ("once", 1, "timed_out")]
    assert book.rows("SELECT * FROM xcoms") == []


async def test_a_cancelled_run_ends_its_command_with_all_its_processes(engine_of: Any, book: Any, tmp_path: Any) -> None:
    from flowlet.operators.processes import has_living_member

    started = tmp_path / "started"
    with DAG("shell") as dag:
        BashOperator(task_id="body", bash_command=f"sleep 60 & echo $$ > {tmp_path}/pid; touch {started}; wait")
    async with engine_of(dag) as engine:
        run = await engine.trigger("shell")
        await until(started.exists)
        await run.cancel()
        await run.wait()
    assert book.attempts() == [("body", 1, "cancelled", "cancelled")]
    assert not has_living_member(int((tmp_path / "pid").read_text()))
