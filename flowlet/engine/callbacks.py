"""Callbacks run after the commit, bounded, and never touch a state; what goes wrong with them is an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from flowlet.scheduler import requests

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowlet.runs.instances import ActiveRun, TaskInstance
    from flowlet.scheduler.brain import Brain
    from flowlet.worker.worker import Worker

#: Seconds that callbacks may take, each, and all of them when the engine is closed.
MAY_TAKE: Final = 30.0

#: A run's reason, where a callback may look for Airflow's word (scheduler_job_runner.py `_schedule_dag_run`).
_AIRFLOWS: Final[dict[str | None, str]] = {"dagrun_timeout": "timed_out"}


class Callbacks:
    """Those of tasks and of DAGs that are under way."""

    def __init__(self, brain: Brain, worker: Worker, group: asyncio.TaskGroup, post: Callable[[Any], None]) -> None:
        self._brain = brain
        self._worker = worker
        self._group = group
        self._post = post
        self._calling: set[asyncio.Task[None]] = set()

    def call(self, what: Any, name: str, outcome: Any) -> None:
        """A workload's `on_<name>_callback`, or, by the name "dag", those of a run's DAG."""
        if name != "dag":
            self._start(self._worker.run_callbacks(what, name, outcome), f"on_{name}_callback", what.key)
            return
        entry = self._brain.entries.get(what.dag_id)
        dag = entry.dag if entry is not None else None
        called = "success" if what.state == "success" else "failure"
        if dag is not None and getattr(dag, f"on_{called}_callback"):
            calls = self._worker.run_dag_callbacks(dag, what.facts, called, _AIRFLOWS.get(what.reason, what.reason))
            self._start(calls, f"on_{called}_callback", what)

    def _start(self, calls: Coroutine[Any, Any, list[str]], name: str, about: TaskInstance | ActiveRun) -> None:
        task = self._group.create_task(self._tell_problems(calls, name, about), name="flowlet:callbacks")
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _tell_problems(
        self, calls: Coroutine[Any, Any, list[str]], name: str, about: TaskInstance | ActiveRun
    ) -> None:
        """This task never ends otherwise, for its group holds the engine."""
        from flowlet.worker.reasons import reason_of

        try:
            problems = await calls
        except asyncio.CancelledError:
            problems = [f"{name} had not ended when the engine was stopped"]
        except BaseException as problem:  # what they are to be given could not be made: somebody's code too
            problems = [f"{name} could not be called: {reason_of(problem)}"]
        for text in problems:
            self._post(requests.Note("callback_failed", text, about))

    async def end(self, last: Callable[[], Awaitable[None]], seconds: float) -> None:
        """When `last` is over, the callbacks that follow may end; all within bounded time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await last()
                while self._calling:
                    await asyncio.wait(self._calling)
        for task in self._calling:
            task.cancel()
        if self._calling:
            await asyncio.wait(self._calling)
