"""Daemon threads of our own: grown on demand, reused, results in batches, nothing kept."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowlet.executors.threads import Threads

pytestmark = pytest.mark.anyio
Job = Callable[[], Any]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


class Pool:
    """Threads whose results are waited for."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self._news = asyncio.Event()
        self.threads: Threads[Job, Any] = Threads(
            asyncio.get_running_loop(), lambda job: job(), self._arrived
        )

    def _arrived(self, _: Job, result: Any) -> None:
        self.results.append(result)
        self._news.set()

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(10):
            while len(self.results) < count:
                self._news.clear()
                await self._news.wait()
        return self.results


async def test_idle_threads_are_used_again() -> None:
    pool = Pool()
    for number in range(10):
        pool.threads.submit(threading.get_ident)
        await pool.until(number + 1)
    assert pool.threads.count == 1
    assert len(set(pool.results)) == 1
    pool.threads.close()


async def test_as_many_threads_as_there_is_need(gate: threading.Event) -> None:
    pool = Pool()
    together = threading.Barrier(20)
    for _ in range(20):
        pool.threads.submit(lambda: together.wait(10))
    assert sorted(await pool.until(20)) == list(range(20))
    assert pool.threads.count == 20
    pool.threads.submit(gate.wait)
    pool.threads.submit(lambda: "past the one that is held")
    await pool.until(21)
    assert pool.threads.count == 20
    pool.threads.close()


async def test_results_that_are_ready_together_cost_one_call_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    calls: list[Any] = []
    real = loop.call_soon_threadsafe

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    pool = Pool()
    done = threading.Semaphore(0)
    for _ in range(50):
        pool.threads.submit(done.release)
    for _ in range(50):
        done.acquire()  # the loop stands still meanwhile
    await pool.until(50)
    assert len(calls) < 5
    pool.threads.close()


async def test_an_idle_thread_keeps_nothing_of_its_last_job() -> None:
    class Big:
        pass

    pool = Pool()
    big = Big()
    gone = weakref.ref(big)
    pool.threads.submit(lambda big=big: str(big))  # bound now
    del big
    await pool.until(1)
    pool.threads.submit(lambda: None)
    await pool.until(2)
    gc.collect()
    assert gone() is None
    pool.threads.close()


async def test_where_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> None:
    pool = Pool()
    pool.threads.submit(gate.wait)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool.threads.submit(lambda: "waits for the one there is")
    assert pool.threads.count == 1
    gate.set()
    assert await pool.until(2) == [True, "waits for the one there is"]
    pool.threads.close()


async def test_where_there_is_not_even_one_thread_the_job_waits_and_that_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str | None] = []
    monkeypatch.setattr("flowlet.executors.threads.AGAIN", 0.001)
    pool = Pool()
    pool.threads._short = lambda: told.append(pool.threads.shortage)
    start, tries = threading.Thread.start, iter(range(5))

    def refuse(thread: threading.Thread) -> None:
        if next(tries, None) is not None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool.threads.submit(lambda: "at last")
    pool.threads.submit(lambda: "at last")
    assert await pool.until(2) == ["at last", "at last"]
    assert told == ["no further thread can be had (can't start new thread)"]
    assert pool.threads.shortage is None
    pool.threads.close()


def test_a_thread_that_outlives_its_loop_ends_quietly() -> None:
    gate, before = threading.Event(), set(threading.enumerate())

    async def story() -> None:
        pool = Pool()
        pool.threads.submit(gate.wait)
        pool.threads.close()

    asyncio.run(story())
    (thread,) = (one for one in threading.enumerate() if one.name.startswith("flowlet:body") and one not in before)
    gate.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_thread_that_never_ends_does_not_hold_up_the_interpreter() -> None:
    import subprocess
    import sys

    story = """
import asyncio, threading
from flowlet import DAG, Engine, task
with DAG("dag") as dag:
    @task
    def stuck(): threading.Event().wait()
    stuck()
async def main():
    async with Engine(dags=[dag], grace=0.01) as engine:
        await engine.trigger("dag")
        while not [t for t in threading.enumerate() if t.name.startswith("flowlet:body")]:
            await asyncio.sleep(0.001)
asyncio.run(main())
print("out")
"""
    result = subprocess.run(
        [sys.executable, "-c", story], timeout=30, capture_output=True, text=True, check=True
    )
    assert result.stdout == "out\n"
