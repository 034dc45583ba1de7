"""Any statement fails, any await is cancelled, while an engine works: each body once, every run to its end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import types
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, Engine, task
from flowlet.errors import FlowletError
from flowlet.events import EventAdded
from flowlet.scheduler import loop
from flowlet.scheduler.loop import Scheduler

pytestmark = pytest.mark.anyio

KINDS = {
    "store_busy": sqlite3.SQLITE_BUSY,
    "storage_full": sqlite3.SQLITE_FULL,
    "storage_faulty": sqlite3.SQLITE_IOERR_FSYNC,
    "storage_read_only": sqlite3.SQLITE_READONLY,
    "storage_trouble": sqlite3.SQLITE_INTERRUPT,
}
STATEMENTS = 30
"""A run of the story takes that many, and a few more; guarded by a test."""


class Story:
    """Two tasks in a row, of which the first succeeds at its second try, and one beside them."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.heard: list[str] = []

    def dag(self) -> DAG:
        with DAG("story") as dag:

            @task(retries=1, retry_delay=0)
            async def flaky(ti: Any) -> int:
                self.bodies.append(f"flaky {ti.try_number}")
                if ti.try_number == 1:
                    raise ValueError("not yet")
                return 1

            @task
            async def after(value: int) -> int:
                self.bodies.append("after")
                return value + 1

            @task
            async def beside() -> str:
                self.bodies.append("beside")
                return "x"

            after(flaky())
            beside()
        return dag

    def listen(self, event: Any) -> None:
        if isinstance(event, EventAdded):
            self.heard.append(event.kind)


ENDED_WELL = (
    "success", ["after", "beside", "flaky 1", "flaky 2"], {"flaky": 2, "after": 1, "beside": 1},
    {"flaky:return_value": 1, "after:return_value": 2, "beside:return_value": "x"},
)  # fmt: skip


@pytest.fixture(params=["memory", "file"])
def place(request: Any, path: Path) -> Any:
    return ":memory:" if request.param == "memory" else path


async def live(place: Any, trouble: Any, **fault: Any) -> tuple[Any, Story, int]:
    """A run of the story with a fault in it; how it ended, and how many statements it took."""
    story = Story()
    async with Engine(place, dags=[story.dag()], durability="process", control=False) as engine:
        engine.listeners.subscribe(story.listen)
        trouble.arm(fault.pop("at", 0), fault.pop("code", 0), times=fault.pop("times", 0), **fault)
        run = await engine.trigger("story")
        await run.wait()
        statements = trouble.seen
        trouble.arm(0, 0, times=0)
        facts = run.as_dict()
        _, store = engine._parts()
        assert await store.check() == []
        ended = (facts["state"], sorted(story.bodies), facts["tries"], facts["xcoms"])
    return ended, story, statements


async def test_the_story_takes_that_many_statements(place: Any, trouble: Any) -> None:
    ended, story, statements = await live(place, trouble)
    assert (ended, story.heard) == (ENDED_WELL, [])
    assert STATEMENTS <= statements <= STATEMENTS + 25


@pytest.mark.parametrize("late", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("times", [1, 4], ids=["once", "for a while"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_at_any_statement_costs_no_body_and_is_told(
    place: Any, trouble: Any, monkeypatch: pytest.MonkeyPatch, kind: str, times: int, late: bool
) -> None:
    """The kinds of errors share the statements among them; each statement fails in one way or the other."""
    monkeypatch.setattr(loop, "_PAUSES", (0.0,))
    for at in range(1 + list(KINDS).index(kind), STATEMENTS, 5 if place == ":memory:" else 10):
        ended, story, _ = await live(place, trouble, at=at, code=KINDS[kind], times=times, late=late)
        assert ended == ENDED_WELL, at
        assert set(story.heard) == {kind}, at


# -- cancelled ---------------------------------------------------------------------------------------


@types.coroutine
def cancelled_at(number: int, coroutine: Coroutine[Any, Any, Any], reached: list[int]) -> Any:
    """Runs the coroutine; its task is cancelled while it waits for the number-th time."""
    task, answer, error = asyncio.current_task(), None, None
    assert task is not None
    for count in range(1, 100_000):
        try:
            waits_for = coroutine.throw(error) if error is not None else coroutine.send(answer)
        except StopIteration as end:
            return end.value
        answer = error = None
        if count == number:
            reached.append(count)
            asyncio.get_running_loop().call_soon(task.cancel)
        try:
            answer = yield waits_for
        except BaseException as raised:
            error = raised
    raise AssertionError("unreachable")


async def cancelled(number: int, coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Whether it waited so often at all."""
    reached: list[int] = []

    async def wrapped() -> Any:
        return await cancelled_at(number, coroutine, reached)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(wrapped())
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return bool(reached)


async def test_a_trigger_that_is_cancelled_at_any_await_is_on_file_or_is_not(path: Path) -> None:
    """Asked for again it is the same run, and it ends; no other run is held up by it."""
    story = Story()
    async with Engine(path, dags=[story.dag()], durability="process", control=False) as engine:
        for number in range(1, 12):
            await cancelled(number, engine.trigger("story", run_id=f"r{number}"))
            run = await (await engine.trigger("story", run_id=f"r{number}")).wait()
            assert run.state == "success"
        assert sorted(story.bodies) == sorted(ENDED_WELL[1] * 11)
        assert await engine._parts()[1].check() == []


async def one_life(path: Path, story: Story) -> None:
    async with Engine(path, dags=[story.dag()], durability="process", control=False, grace=0.05) as engine:
        await (await engine.trigger("story", run_id="r")).wait()


async def test_an_engine_that_is_cancelled_at_any_await_leaves_a_file_that_goes_on(path: Path) -> None:
    """From its opening to its end: the file is free, whole, and no task and no thread is left."""
    number, waited = 0, True
    while waited:
        number += 1
        place = path.with_name(f"{number}.db")
        waited = await cancelled(number, one_life(place, Story()))
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("flowlet")] == [], number
        story = Story()
        async with Engine(place, dags=[story.dag()], durability="process", control=False) as engine:
            run = await (await engine.trigger("story", run_id="r")).wait()
            assert (run.state, run.as_dict()["xcoms"]) == ("success", ENDED_WELL[3]), number
            assert await engine._parts()[1].check() == []
    assert number > 10
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("flowlet")] == []


async def test_a_scheduler_that_is_cancelled_at_any_await_tells_all_who_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged stands on file, and the next engine goes on from there."""
    run = Scheduler.run
    reached: list[int] = []
    for number in range(1, 16):
        place = path.with_name(f"{number}.db")
        with monkeypatch.context() as patch:
            patch.setattr(Scheduler, "run", lambda self, number=number: _cancelled_run(number, run(self), reached))
            with suppress(FlowletError, asyncio.CancelledError, BaseExceptionGroup):
                async with asyncio.timeout(10):
                    await one_life(place, Story())
        story = Story()
        async with Engine(place, dags=[story.dag()], durability="process", control=False) as engine:
            again = await (await engine.trigger("story", run_id="r")).wait()
            assert (again.state, again.as_dict()["xcoms"]) == ("success", ENDED_WELL[3]), number
            assert await engine._parts()[1].check() == []
    assert len(reached) > 5


async def _cancelled_run(number: int, run: Any, reached: list[int]) -> Any:
    return await cancelled_at(number, run, reached)
