"""The contract of every executor in this process: one delivery for each attempt, whatever its body does."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

from flowlet import DAG, BashOperator, PythonOperator
from flowlet.operators.processes import has_living_member
from flowlet.worker.workload import Outcome

pytestmark = pytest.mark.anyio
SOON = timedelta(milliseconds=20)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a body in its thread; opened at the latest when the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


def never(gate: threading.Event) -> Callable[[], str]:
    """A body that no timeout can stop."""

    def body() -> str:
        gate.wait()
        return "late"

    return body


async def test_a_call_runs_in_a_thread_and_a_coroutine_on_the_loop(desk: Any) -> None:
    where: dict[str, Any] = {}

    def call() -> int:
        where["call"] = threading.current_thread()
        return 1

    async def coroutine() -> int:
        where["coroutine"] = threading.current_thread()
        where["task"] = asyncio.current_task().get_name()  # it runs in one
        return 2

    outcomes = [await desk.outcome_of(desk.accept(body)) for body in (call, coroutine)]
    assert [outcome.xcoms for outcome in outcomes] == [(("return_value", "1"),), (("return_value", "2"),)]
    assert where["coroutine"] is threading.current_thread()
    assert where["call"] is not threading.current_thread()
    assert where["call"].daemon
    assert where["task"] == "body"


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(
    "problem",
    [
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        ValueError("x"),
        StopIteration(),
    ],
)
async def test_whatever_a_body_raises_the_loop_lives(
    desk: Any, problem: BaseException, asynchronous: bool
) -> None:
    def call() -> None:
        raise problem

    async def coroutine() -> None:
        raise problem

    assert (await desk.outcome_of(desk.accept(coroutine if asynchronous else call))).kind == "failed"
    assert (await desk.outcome_of(desk.accept(lambda: 1))).kind == "succeeded"


async def test_every_body_has_a_context_of_its_own(desk: Any) -> None:
    mark: ContextVar[int] = ContextVar("mark", default=0)

    def call() -> int:
        mark.set(mark.get() + 1)
        return mark.get()

    async def coroutine() -> int:
        return call()

    for body in (call, coroutine, call, coroutine):
        assert (await desk.outcome_of(desk.accept(body))).xcoms == (("return_value", "1"),)
    assert mark.get() == 0


# -- timeouts -----------------------------------------------------------------------------------------


async def test_a_coroutine_past_its_time_is_cancelled(desk: Any) -> None:
    ended: list[str] = []

    async def body(ti: Any) -> None:
        ti.xcom_push("so far", 1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    outcome = await desk.outcome_of(desk.accept(body, execution_timeout=SOON))
    assert (outcome.kind, outcome.error, outcome.retry) == ("timed_out", "TaskTimeout", True)
    assert outcome.reason == "it ran longer than its execution_timeout of 0:00:00.020000"
    assert outcome.xcoms == (("so far", "1"),)
    assert ended == ["cleaned up"]
    assert desk.executor.abandoned == 0


async def test_a_coroutine_that_swallows_one_cancellation(desk: Any) -> None:
    async def body() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "as if nothing had been"

    outcome = await desk.outcome_of(desk.accept(body, execution_timeout=SOON))
    assert (outcome.kind, outcome.xcoms) == ("timed_out", ())


async def test_a_coroutine_that_swallows_every_cancellation_is_closed(desk: Any) -> None:
    async def body() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    outcome = await desk.outcome_of(desk.accept(body, execution_timeout=SOON))
    assert outcome.kind == "timed_out"
    assert desk.executor.abandoned == 0


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Python says of a coroutine that is dropped while it waits that it ignored GeneratorExit."""
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    return said


async def stubborn() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except BaseException:
            pass


async def test_a_coroutine_that_swallows_everything_never_runs_again(
    desk: Any, unraisable: list[Any]
) -> None:
    work = desk.accept(stubborn, execution_timeout=SOON)
    (handle,) = (task for task in asyncio.all_tasks() if task.get_name() == "body")
    assert (await desk.outcome_of(work)).kind == "timed_out"
    assert desk.executor.abandoned == 0
    await asyncio.wait({handle}, timeout=5)
    assert handle.done()
    gc.collect()
    assert [str(one.exc_value) for one in unraisable] == ["coroutine ignored GeneratorExit"]


async def test_a_thread_past_its_time_is_delivered_and_abandoned_until_it_ends(
    desk: Any, gate: threading.Event
) -> None:
    work = desk.accept(never(gate), execution_timeout=SOON)
    outcome = await desk.outcome_of(work)
    assert outcome.kind == "timed_out"
    assert outcome.reason == (
        "it ran longer than its execution_timeout of 0:00:00.020000; its thread cannot be stopped and is abandoned"
    )
    assert desk.executor.abandoned == 1
    assert (await desk.outcome_of(desk.accept(lambda: 1))).kind == "succeeded"
    gate.set()
    late = await desk.late_outcome_of(work)
    assert (late.kind, late.xcoms) == ("succeeded", (("return_value", '"late"'),))
    assert desk.executor.abandoned == 0
    assert len(desk.delivered) == 2


async def test_a_call_that_gets_no_thread_in_its_time_never_ran(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowlet.executors.threads.AGAIN", 0.001)
    start, given, ran = threading.Thread.start, threading.Event(), []

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("flowlet:body") and not given.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome = await desk.outcome_of(desk.accept(lambda: ran.append("late"), execution_timeout=SOON))
    assert outcome.kind == "timed_out"
    assert str(outcome.reason).endswith("; it had no thread yet")
    assert desk.executor.refusal == "no further thread can be had (can't start new thread)"
    given.set()
    assert (await desk.outcome_of(desk.accept(lambda: ran.append("in time")))).kind == "succeeded"
    assert (ran, desk.discarded, desk.executor.abandoned) == (["in time"], [], 0)


async def test_a_body_in_time_is_not_disturbed(desk: Any) -> None:
    async def coroutine() -> int:
        return 1

    for body in (coroutine, lambda: 1):
        work = desk.accept(body, execution_timeout=timedelta(seconds=5))
        assert (await desk.outcome_of(work)).kind == "succeeded"


async def test_soft_fail_makes_a_timeout_of_a_look_a_skip(desk: Any) -> None:
    from flowlet import PythonSensor

    async def look() -> bool:
        await asyncio.Event().wait()
        return True

    with DAG("dag"):
        sensor = PythonSensor(task_id="body", python_callable=look, soft_fail=True, execution_timeout=SOON)
    outcome = await desk.outcome_of(desk.accept(sensor))
    assert (outcome.kind, outcome.error) == ("skipped", "TaskTimeout")


# -- cancelling ---------------------------------------------------------------------------------------


async def test_cancelling(desk: Any, gate: threading.Event) -> None:
    begun = threading.Event()

    async def coroutine() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        begun.set()
        gate.wait()

    for body in (coroutine, call):
        begun.clear()
        work = desk.accept(body)
        await asyncio.get_running_loop().run_in_executor(None, begun.wait, 5)
        desk.executor.cancel(work, "somebody asked")
        outcome = await desk.outcome_of(work)
        assert outcome.kind == "cancelled"
        assert outcome.reason is not None
        assert outcome.reason.startswith("somebody asked")
    assert desk.executor.abandoned == 1


async def test_cancelling_what_has_not_begun_delivers_it(desk: Any) -> None:
    ran: list[int] = []

    async def coroutine() -> None:
        ran.append(1)

    work = desk.accept(coroutine)
    desk.executor.cancel(work, "changed my mind")
    outcome = await desk.outcome_of(work)
    assert (outcome.kind, outcome.reason) == ("cancelled", "changed my mind")
    assert ran == []
    assert (await desk.outcome_of(desk.accept(coroutine))).kind == "succeeded"


async def test_cancelling_what_is_over_or_unknown_does_nothing(desk: Any) -> None:
    work = desk.accept(lambda: 1)
    await desk.outcome_of(work)
    desk.executor.cancel(work, "too late")
    desk.executor.cancel(work, "too late")
    assert [outcome.kind for _, outcome in desk.delivered] == ["succeeded"]


async def test_a_second_wish_does_not_change_the_first(desk: Any) -> None:
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    work = desk.accept(body)
    for _ in range(3):
        await asyncio.get_running_loop().run_in_executor(None, int)
    desk.executor.cancel(work, "first")
    desk.executor.cancel(work, "second")
    assert (await desk.outcome_of(work)).reason == "first"


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_on_kill_is_called_off_the_loop_on_the_attempts_own_copy(
    desk: Any, gate: threading.Event, asynchronous: bool, raises: bool
) -> None:
    killed = threading.Event()
    seen: list[Any] = []

    class Holder(PythonOperator):
        held = "nothing"

        def on_kill(self) -> None:
            seen.extend([self.held, threading.current_thread()])
            killed.set()
            if raises:
                raise SystemExit

    def call(task: Any) -> None:
        task.held = "a connection"
        gate.wait()

    async def coroutine(task: Any) -> None:
        task.held = "a connection"
        await asyncio.Event().wait()

    with DAG("dag"):
        holder = Holder(
            task_id="body", python_callable=coroutine if asynchronous else call, execution_timeout=SOON
        )
    assert (await desk.outcome_of(desk.accept(holder))).kind == "timed_out"
    await asyncio.get_running_loop().run_in_executor(None, killed.wait, 5)
    assert seen[0] == "a connection"
    assert seen[1] is not threading.current_thread()
    assert holder.held == "nothing"


# -- closing ------------------------------------------------------------------------------------------


async def test_bodies_may_end_within_the_grace(desk: Any) -> None:
    async def body() -> int:
        await asyncio.to_thread(int)
        return 1

    work = desk.accept(body)
    await desk.executor.close(5)
    assert (await desk.outcome_of(work)).kind == "succeeded"


async def test_what_does_not_end_is_interrupted_within_bounded_time(
    desk: Any, gate: threading.Event, unraisable: list[Any]
) -> None:
    begun = asyncio.Event()

    async def pushes_and_stays(ti: Any) -> None:
        ti.xcom_push("k", 1)
        begun.set()
        await stubborn()

    works = [desk.accept(pushes_and_stays), desk.accept(never(gate))]
    await begun.wait()
    loop = asyncio.get_running_loop()
    started = loop.time()
    await desk.executor.close(0.01)
    assert loop.time() - started < 3
    outcomes = [await desk.outcome_of(work) for work in works]
    assert [outcome.kind for outcome in outcomes] == ["interrupted", "interrupted"]
    assert str(outcomes[0].reason) == "the engine was stopped"
    assert outcomes[0].xcoms == ()
    gc.collect()
    assert len(unraisable) == 1


async def test_a_second_close_hurries_the_first(desk: Any) -> None:
    async def body() -> None:
        await asyncio.Event().wait()

    work = desk.accept(body)
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.executor.close(3600))
        await asyncio.get_running_loop().run_in_executor(None, int)
        assert not desk.delivered
        await desk.executor.close(0)
    assert (await desk.outcome_of(work)).kind == "interrupted"


async def test_threads_are_gone_after_closing(desk: Any) -> None:
    before = set(threading.enumerate())  # a thread that another test abandoned is not this executor's
    for _ in range(3):
        await desk.outcome_of(desk.accept(lambda: 1))
    await desk.executor.close(1)
    for thread in threading.enumerate():
        if thread.name.startswith("flowlet:") and thread not in before:
            thread.join(5)
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("flowlet:body")]


# -- bash ---------------------------------------------------------------------------------------------


async def test_a_command_past_its_time_leaves_no_process(desk: Any, tmp_path: Any) -> None:
    desk.executor._patience = 6.0
    with DAG("dag"):
        command = f"echo $$ > {tmp_path}/pid; sleep 60 & wait"
        bash = BashOperator(task_id="body", bash_command=command, execution_timeout=timedelta(seconds=0.3))
    outcome: Outcome = await desk.outcome_of(desk.accept(bash))
    assert outcome.kind == "timed_out"
    assert not has_living_member(int((tmp_path / "pid").read_text()))
