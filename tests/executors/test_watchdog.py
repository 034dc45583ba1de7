"""Who blocks the loop is named: the task, the file and the line; who waits properly never is."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowlet.executors.local import LocalExecutor
from flowlet.executors.watchdog import Stall, Watchdog, _place_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def kind() -> type[LocalExecutor]:
    return LocalExecutor


@pytest.fixture
def watched(desk: Any) -> tuple[Any, list[Stall], asyncio.Event]:
    """A desk whose watchdog barks soon, what it said, and an event for it."""
    stalls: list[Stall] = []
    told = asyncio.Event()

    def on_stall(stall: Stall) -> None:
        stalls.append(stall)
        told.set()

    desk.executor.on_stall = on_stall
    desk.executor._watchdog._threshold = 0.05
    return desk, stalls, told


def block(until: Callable[[], bool]) -> None:
    """Hold the loop until something is so."""
    gate = threading.Event()
    while not until():
        gate.wait(0.005)


async def test_a_body_that_blocks_is_named_with_its_line(
    watched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    desk, stalls, told = watched

    async def body() -> None:
        block(lambda: bool(caplog.records))  # this is the line

    with caplog.at_level(logging.WARNING):
        work = desk.accept(body)
        assert (await desk.outcome_of(work)).kind == "succeeded"
        async with asyncio.timeout(5):
            await told.wait()
    (stall,) = stalls
    line = block.__code__.co_firstlineno
    assert stall.work is work
    assert stall.seconds >= 0.05
    file, _, number = stall.where.rpartition(":")
    assert file == __file__
    assert line < int(number) <= line + 4
    assert "task 'body' of DAG 'dag' blocked the event loop at" in stall.text
    assert caplog.messages[0].startswith("task 'body' of DAG 'dag' blocked the event loop at")


async def test_who_waits_properly_is_left_alone(watched: Any) -> None:
    desk, stalls, _ = watched
    over = asyncio.Event()

    async def body() -> None:
        await over.wait()

    work = desk.accept(body)
    for _ in range(4):
        await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.05)
    over.set()
    await desk.outcome_of(work)
    assert stalls == []


async def test_it_runs_only_while_attempts_execute(watched: Any) -> None:
    desk, stalls, _ = watched
    watchdog = desk.executor._watchdog

    async def body() -> None:
        pass

    assert not watchdog._started
    await desk.outcome_of(desk.accept(body))
    assert watchdog._started
    while watchdog._awake:
        await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.01)
    beats: list[int] = []
    watchdog._answered.set = lambda: beats.append(1)
    block(lambda: True)
    await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.15)
    assert beats == []
    assert stalls == []


async def test_its_thread_ends_with_the_executor(watched: Any) -> None:
    desk, _, _ = watched

    async def body() -> None:
        pass

    await desk.outcome_of(desk.accept(body))
    threads = [thread for thread in threading.enumerate() if thread.name == "flowlet:watchdog"]
    await desk.executor.close(0)
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_a_loop_that_is_gone_ends_it() -> None:
    told: list[Stall] = []

    async def story() -> None:
        watchdog = Watchdog(
            asyncio.get_running_loop(), lambda _: None, lambda: True, told.append, threshold=0.01
        )
        watchdog.look()

    asyncio.run(story())
    for thread in threading.enumerate():
        if thread.name == "flowlet:watchdog":
            thread.join(5)
            assert not thread.is_alive()


def test_the_place_is_in_somebodys_own_code() -> None:
    import sys

    def inner() -> str:
        return _place_of(sys._getframe())

    assert _place_of(None) == "an unknown place"
    assert inner().startswith(__file__)
    event = threading.Event()
    event.set()
    seen: list[str] = []

    class Looks(threading.Thread):
        def run(self) -> None:
            seen.append(_place_of(sys._current_frames()[threading.main_thread().ident or 0]))

    looks = Looks()
    looks.start()
    looks.join()
    assert seen[0].startswith(__file__)
