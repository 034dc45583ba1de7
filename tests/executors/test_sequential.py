"""The SequentialExecutor runs one body at a time, in the order in which they came."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from flowlet.executors.local import LocalExecutor
from flowlet.executors.sequential import SequentialExecutor

pytestmark = pytest.mark.anyio


@pytest.fixture
def kind() -> type[LocalExecutor]:
    return SequentialExecutor


@pytest.fixture
def gate() -> Any:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_one_at_a_time_in_order(desk: Any) -> None:
    at_once: list[int] = []
    running: list[int] = []

    def call(number: int) -> Any:
        def body() -> None:
            running.append(number)
            at_once.append(len(running))
            running.remove(number)

        return body

    def coroutine(number: int) -> Any:
        async def body() -> None:
            running.append(number)
            await asyncio.to_thread(int)
            at_once.append(len(running))
            running.remove(number)

        return body

    works = [desk.accept((call if number % 2 else coroutine)(number)) for number in range(8)]
    for work in works:
        await desk.outcome_of(work)
    assert at_once == [1] * 8
    assert [work for work, _ in desk.delivered] == works


async def test_what_waits_can_be_cancelled_and_is_never_begun(desk: Any, gate: threading.Event) -> None:
    ran: list[str] = []
    first = desk.accept(gate.wait)
    second, third = desk.accept(lambda: ran.append("second")), desk.accept(lambda: ran.append("third"))
    desk.executor.cancel(second, "not needed")
    outcome = await desk.outcome_of(second)
    assert (outcome.kind, outcome.reason) == ("cancelled", "not needed")
    gate.set()
    await desk.outcome_of(first)
    await desk.outcome_of(third)
    assert ran == ["third"]
    assert desk.executor.abandoned == 0


async def test_an_abandoned_thread_does_not_hold_up_the_next(desk: Any, gate: threading.Event) -> None:
    stuck = desk.accept(gate.wait, execution_timeout=timedelta(milliseconds=20))
    following = desk.accept(lambda: 1)
    assert (await desk.outcome_of(stuck)).kind == "timed_out"
    assert (await desk.outcome_of(following)).kind == "succeeded"


async def test_what_waits_when_it_is_closed_is_interrupted(desk: Any, gate: threading.Event) -> None:
    works = [desk.accept(gate.wait), desk.accept(lambda: 1)]
    await desk.executor.close(0.01)
    assert [(await desk.outcome_of(work)).kind for work in works] == ["interrupted", "interrupted"]
