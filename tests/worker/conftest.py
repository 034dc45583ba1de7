"""A worker, workloads for it, and XComs that are on file."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from flowlet import DAG, PythonOperator
from flowlet.clock import VirtualClock, to_micros
from flowlet.runs import values
from flowlet.worker.attempt import ATTEMPT
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, RunFacts, Workload

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NOW = to_micros(NEW_YEAR)


class FiledXComs:
    """XComs of one run, as a store would give them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str, str], dict[int, str]] = {}

    def put(
        self, task_id: str, value: Any, *, key: str = "return_value", map_index: int = -1, run_id: str = "run"
    ) -> None:
        self.rows.setdefault(("dag", run_id, task_id, key), {})[map_index] = values.encode(value)

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str | None:
        return self.rows.get((dag_id, run_id, task_id, key), {}).get(map_index)

    def get_mapped(self, dag_id: str, run_id: str, task_id: str, key: str) -> list[tuple[int, str]]:
        rows = self.rows.get((dag_id, run_id, task_id, key), {})
        return sorted((index, text) for index, text in rows.items() if index >= 0)


@pytest.fixture(autouse=True)
def outside_of_attempts() -> Iterator[None]:
    """A test that runs an attempt in its own context would make all that follow run inside of it."""
    yield
    assert ATTEMPT.get() is None


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def logs() -> Logs:
    return Logs(None)


@pytest.fixture
def worker(clock: VirtualClock, logs: Logs) -> Iterator[Worker]:
    worker = Worker(clock=clock, logs=logs)
    yield worker
    worker.close()


@pytest.fixture
def xcoms() -> FiledXComs:
    return FiledXComs()


@pytest.fixture
def workload(xcoms: FiledXComs) -> Callable[..., Workload]:
    """Makes the workload of a task: `workload(dag, "task_id", conf={...}, logical_date=None, ...)`."""

    def make(
        dag: DAG,
        task_id: str = "body",
        *,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | None = NEW_YEAR,
        run: RunFacts | None = None,
        **more: Any,
    ) -> Workload:
        date = None if logical_date is None else to_micros(logical_date)
        facts = run or RunFacts("dag", "run", "manual", date, date, date, NOW, NOW, conf or {})
        given = {"map_index": -1, "try_number": 1, "max_tries": 0, "started_at": NOW, "xcoms": xcoms, **more}
        return Workload(key=None, dag=dag, task=dag.get_task(task_id), run=facts, **given)

    return make


@pytest.fixture
def run(worker: Worker, workload: Callable[..., Workload]) -> Callable[..., Outcome]:
    """Runs one attempt of a task as an executor would, and gives its outcome."""

    def run(dag: DAG, task_id: str = "body", *, work: Workload | None = None, **more: Any) -> Outcome:
        attempt = worker.begin(work or workload(dag, task_id, **more))
        if attempt.work.task.is_async:
            return asyncio.run(attempt.run())
        return contextvars.copy_context().run(attempt.run_sync)

    return run


@pytest.fixture
def of() -> Callable[..., DAG]:
    """Makes a DAG `dag` whose task `body` calls the function."""

    def make(body: Callable[..., Any], **arguments: Any) -> DAG:
        with DAG("dag") as dag:
            PythonOperator(task_id="body", python_callable=body, **arguments)
        return dag

    return make


@pytest.fixture(params=["def", "async def"])
def both(request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function as it is, and as an `async def`."""

    def as_asked(function: Callable[..., Any]) -> Callable[..., Any]:
        if request.param == "def":
            return function

        async def body(**context: Any) -> Any:
            from flowlet.authoring.calls import signature_of

            return function(**{name: context[name] for name in signature_of(function).names})

        return body

    return as_asked
