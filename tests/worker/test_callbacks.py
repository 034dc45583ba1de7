"""Callbacks: called after the fact, bounded, in their attempt's context; what they raise changes nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from flowlet import DAG, get_current_context
from flowlet.worker import callbacks
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, Workload

pytestmark = pytest.mark.anyio
Of = Callable[..., DAG]


@pytest.fixture(params=["def", "async def"])
def kind(request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A callback as it is, and as an `async def`."""

    def as_asked(function: Callable[..., Any]) -> Callable[..., Any]:
        async def called(context: Any) -> None:
            function(context)

        return function if request.param == "def" else called

    return as_asked


async def finished(worker: Worker, work: Workload) -> Outcome:
    attempt = worker.begin(work)
    return await attempt.run() if work.task.is_async else contextvars.copy_context().run(attempt.run_sync)


async def test_a_failure_callback_sees_the_attempt(
    worker: Worker, workload: Callable[..., Workload], of: Of, kind: Any
) -> None:
    seen: list[dict[str, Any]] = []
    problem = ValueError("x")

    def body() -> None:
        raise problem

    def failed(context: dict[str, Any]) -> None:
        assert get_current_context() is context
        seen.append(context)

    work = workload(of(body, on_failure_callback=kind(failed)))
    outcome = await finished(worker, work)
    assert await worker.run_callbacks(work, "failure", outcome) == []
    (context,) = seen
    assert context["exception"] is problem
    assert context["reason"] == "ValueError: x"
    assert (context["ti"].task_id, context["ds"]) == ("body", "2026-01-01")


async def test_one_that_raises_is_told_logged_and_the_next_still_called(
    worker: Worker, workload: Callable[..., Workload], of: Of, kind: Any, logs: Logs
) -> None:
    called: list[str] = []

    def bad(context: Any) -> None:
        context["ti"].log.info("about to fail")
        raise SystemExit(2)

    work = workload(of(lambda: 1, on_success_callback=[kind(bad), kind(lambda _: called.append("good"))]))
    told = await worker.run_callbacks(work, "success", await finished(worker, work))
    assert len(told) == 1
    assert told[0].startswith("on_success_callback ")
    assert told[0].endswith(" called sys.exit(2)")
    assert called == ["good"]
    assert "about to fail" in logs.text("dag", "run", "body")
    assert "SystemExit: 2" in logs.text("dag", "run", "body")


async def test_one_that_never_ends_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, workload: Callable[..., Workload], of: Of
) -> None:
    monkeypatch.setattr(callbacks, "PATIENCE", 0.02)
    release = threading.Event()
    ends: list[bool] = []

    async def swallows(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append(True)

    def blocks(_: Any) -> None:
        release.wait()

    work = workload(of(lambda: 1, on_success_callback=[swallows, blocks]))
    told = await worker.run_callbacks(work, "success", await finished(worker, work))
    release.set()
    assert [sentence.partition(" took longer")[2] for sentence in told] == [
        " than 0.02 s and was left to itself"
    ] * 2
    assert ends == [True]


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_on_execute_comes_before_the_body_and_cannot_stop_it(
    worker: Worker, workload: Callable[..., Workload], of: Of, kind: Any, asynchronous: bool
) -> None:
    seen: list[str] = []

    def before(context: dict[str, Any]) -> None:
        seen.append(f"before {context['ti'].task_id}")
        raise ValueError("ignored")

    async def abody() -> None:
        seen.append("body")

    work = workload(
        of(abody if asynchronous else lambda: seen.append("body"), on_execute_callback=kind(before))
    )
    assert (await asyncio.to_thread(lambda: asyncio.run(finished(worker, work)))).kind == "succeeded"
    assert seen == ["before body", "body"]


class Notifier:
    """As Airflow's BaseNotifier: an object with template fields that is called."""

    template_fields: ClassVar = ("text",)
    sent: ClassVar[list[str]] = []

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, context: dict[str, Any]) -> None:
        Notifier.sent.append(self.text)


async def test_a_shared_notifier_is_rendered_for_each_attempt(
    worker: Worker, workload: Callable[..., Workload], of: Of
) -> None:
    Notifier.sent.clear()
    shared = Notifier("{{ ti.task_id }} try {{ try_number }}")
    dag = of(lambda: 1, on_success_callback=shared)
    for number in (1, 2):
        work = workload(dag, try_number=number)
        assert await worker.run_callbacks(work, "success", await finished(worker, work)) == []
    assert Notifier.sent == ["body try 1", "body try 2"]
    assert shared.text == "{{ ti.task_id }} try {{ try_number }}"


async def test_a_template_that_fails_in_a_notifier_is_told(
    worker: Worker, workload: Callable[..., Workload], of: Of
) -> None:
    work = workload(of(lambda: 1, on_success_callback=Notifier("{{ nowhere }}")))
    (told,) = await worker.run_callbacks(work, "success", await finished(worker, work))
    assert "'nowhere' is undefined" in told


async def test_after_a_crash_a_new_context_is_made(
    worker: Worker, workload: Callable[..., Workload], of: Of
) -> None:
    seen: list[Any] = []
    work = workload(of(lambda: 1, on_failure_callback=seen.append))
    outcome = Outcome("failed", reason="took the process down 3 times")
    assert await worker.run_callbacks(work, "failure", outcome) == []
    assert (seen[0]["ti"].task_id, seen[0]["exception"], seen[0]["reason"]) == (
        "body", None, "took the process down 3 times",
    )  # fmt: skip


async def test_the_callbacks_of_a_dag(worker: Worker, workload: Callable[..., Workload], kind: Any) -> None:
    seen: list[Any] = []

    def bad(_: Any) -> None:
        raise ValueError("no")

    with DAG("dag", on_failure_callback=[kind(seen.append), kind(bad)]) as dag:
        pass
    with DAG("dag") as other:
        from flowlet import EmptyOperator

        EmptyOperator(task_id="body")
    run = workload(other).run
    (told,) = await worker.run_dag_callbacks(dag, run, "failure", "failed: body")
    assert told.endswith("raised ValueError: no")
    assert (seen[0]["dag"], seen[0]["run_id"], seen[0]["reason"]) == (dag, "run", "failed: body")
    assert (await worker.run_dag_callbacks(dag, None, "failure", None))[0].endswith("raised ValueError: no")


async def test_what_a_callback_writes_goes_to_the_log_and_nothing_stays_open(
    worker: Worker, workload: Callable[..., Workload], of: Of, logs: Logs
) -> None:
    import logging

    work = workload(of(lambda: 1, on_success_callback=lambda _: logging.getLogger("cb").warning("done")))
    await worker.run_callbacks(work, "success", await finished(worker, work))
    assert logs.text("dag", "run", "body").endswith("WARNING cb - done\n")
