"""An executor with a worker, and somebody who waits for what it delivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from flowlet import DAG, BaseOperator, PythonOperator
from flowlet.clock import SystemClock
from flowlet.executors.base import Executor
from flowlet.executors.local import LocalExecutor
from flowlet.executors.sequential import SequentialExecutor
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, RunFacts, Workload

NOW = SystemClock().now()


class NoXComs:
    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str | None:
        return None

    def get_mapped(self, dag_id: str, run_id: str, task_id: str, key: str) -> list[tuple[int, str]]:
        return []


class Desk:
    """Hands workloads to an executor and keeps what comes back."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.delivered: list[tuple[Workload, Outcome]] = []
        self.discarded: list[tuple[Workload, Outcome]] = []
        self._news = asyncio.Event()

    async def open(self) -> None:
        self.worker = Worker(clock=SystemClock(), logs=Logs(None))
        await self.executor.open(self.worker, self._deliver, self._discard)

    def _deliver(self, work: Workload, outcome: Outcome) -> None:
        self.delivered.append((work, outcome))
        self._news.set()

    def _discard(self, work: Workload, outcome: Outcome) -> None:
        self.discarded.append((work, outcome))
        self._news.set()

    def accept(self, task: BaseOperator | Callable[..., Any], **arguments: Any) -> Workload:
        """Let it run; a function becomes a task."""
        if not isinstance(task, BaseOperator):
            with DAG("dag"):
                task = PythonOperator(task_id="body", python_callable=task, **arguments)
        run = RunFacts("dag", "run", "manual", NOW, NOW, NOW, NOW, NOW, {})
        work = Workload(
            key=object(), dag=task.dag, task=task, run=run, map_index=-1, try_number=1, max_tries=0,
            started_at=NOW, xcoms=NoXComs(),
        )  # fmt: skip
        self.executor.accept(work)
        return work

    async def outcome_of(self, work: Workload) -> Outcome:
        """Wait until it is delivered."""
        return await self._wait_for(work, self.delivered)

    async def late_outcome_of(self, work: Workload) -> Outcome:
        """Wait until it comes back late."""
        return await self._wait_for(work, self.discarded)

    async def _wait_for(self, work: Workload, where: list[tuple[Workload, Outcome]]) -> Outcome:
        async with asyncio.timeout(10):
            while True:
                found = [outcome for one, outcome in where if one is work]
                if found:
                    assert len(found) == 1
                    return found[0]
                self._news.clear()
                await self._news.wait()


@pytest.fixture(params=[LocalExecutor, SequentialExecutor], ids=["local", "sequential"])
def kind(request: pytest.FixtureRequest) -> type[LocalExecutor]:
    """Each executor that runs bodies in this process."""
    kind: type[LocalExecutor] = request.param
    return kind


@pytest.fixture
async def desk(kind: type[LocalExecutor]) -> AsyncIterator[Desk]:
    """An open executor that is not patient."""
    desk = Desk(kind(patience=0.02))
    await desk.open()
    yield desk
    await desk.executor.close(0)
    desk.worker.close()
    assert len(desk.delivered) == len({id(work) for work, _ in desk.delivered}), "delivered twice"
