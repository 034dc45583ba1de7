"""What a body logs is in its log; the program's own logging stays as it is."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowlet import DAG
from flowlet.clock import VirtualClock
from flowlet.worker import capture
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Outcome, Workload

Run = Callable[..., Outcome]
Of = Callable[..., DAG]
Both = Callable[[Callable[..., Any]], Callable[..., Any]]


@pytest.fixture
def said(logs: Logs) -> Callable[..., list[str]]:
    """The lines of the log without their time."""

    def said(task_id: str = "body") -> list[str]:
        return [line.partition("] ")[2] or line for line in logs.text("dag", "run", task_id).splitlines()]

    return said


@pytest.fixture
def somebody() -> Iterator[logging.Logger]:
    """A logger of the program, which says what it was told."""
    logger = logging.getLogger("somebody.else")
    level = logger.level
    yield logger
    logger.setLevel(level)


def test_records_of_any_logger(
    run: Run, both: Both, of: Of, said: Callable[..., list[str]], somebody: logging.Logger
) -> None:
    def body() -> None:
        somebody.warning("disk %s", "full")
        somebody.info("not let through by the program's level")
        logging.getLogger().error("root")

    run(of(both(body)))
    assert said() == ["WARNING somebody.else - disk full", "ERROR root - root"]


def test_a_level_that_the_program_set_counts(
    run: Run, of: Of, said: Callable[..., list[str]], somebody: logging.Logger
) -> None:
    somebody.setLevel(logging.DEBUG)
    run(of(lambda: somebody.debug("fine")))
    assert said() == ["DEBUG somebody.else - fine"]


def test_ti_log_takes_info_whatever_the_levels(
    run: Run, both: Both, of: Of, said: Callable[..., list[str]]
) -> None:
    def body(ti: Any) -> None:
        ti.log.debug("no")
        ti.log.info("count %d", 3)
        ti.log.warning("careful")

    run(of(both(body)))
    assert said() == ["INFO flowlet.task - count 3", "WARNING flowlet.task - careful"]


def test_an_exception_is_logged_with_its_traceback(run: Run, of: Of, said: Callable[..., list[str]]) -> None:
    def body(ti: Any) -> None:
        try:
            {}["missing"]
        except KeyError:
            ti.log.exception("caught")

    run(of(body))
    lines = said()
    assert lines[0] == "ERROR flowlet.task - caught"
    assert lines[-1] == "KeyError: 'missing'"
    assert sum("Traceback" in line for line in lines) == 1


def test_a_record_that_cannot_be_formatted_disturbs_nobody(
    run: Run, of: Of, said: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError

    monkeypatch.setattr(logging, "raiseExceptions", False)

    def body(ti: Any) -> int:
        ti.log.info("%d", "text")
        ti.log.info("%s", Mute())
        return 1

    assert run(of(body)).kind == "succeeded"
    assert said() == [
        "INFO flowlet.task - '%d', with arguments that do not fit it (TypeError)",
        "INFO flowlet.task - '%s', with arguments that do not fit it (ValueError)",
    ]


def test_what_is_logged_outside_of_attempts_is_not_captured(
    worker: Worker, logs: Logs, somebody: logging.Logger
) -> None:
    assert worker.repairs is None
    somebody.warning("outside")
    assert not logs._kept


def test_two_bodies_at_once_do_not_mix(
    worker: Worker, workload: Callable[..., Workload], logs: Logs, somebody: logging.Logger
) -> None:
    from flowlet import PythonOperator

    turn = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def body(task_id: str, other: str) -> None:
        somebody.warning("%s one", task_id)
        turn[other].set()
        await turn[task_id].wait()
        somebody.warning("%s two", task_id)

    with DAG("dag") as dag:
        for task_id, other in (("a", "b"), ("b", "a")):
            PythonOperator(task_id=task_id, python_callable=body, op_args=[task_id, other])

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            for task_id in "ab":
                group.create_task(worker.begin(workload(dag, task_id)).run())

    asyncio.run(story())
    for task_id in "ab":
        lines = logs.text("dag", "run", task_id).splitlines()
        assert [line.rpartition(" - ")[2] for line in lines] == [f"{task_id} one", f"{task_id} two"]


def test_a_failed_attempt_has_its_traceback_from_the_users_code_on(
    run: Run, of: Of, said: Callable[..., list[str]]
) -> None:
    def body() -> None:
        raise ValueError("no such thing")

    run(of(body))
    lines = said()
    assert lines[0] == "ERROR task - Traceback (most recent call last):"
    assert lines[-1] == "ValueError: no such thing"
    assert not any("flowlet/worker/" in line for line in lines)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")

    @property
    def __notes__(self) -> list[str]:
        raise SystemExit

    @__notes__.setter
    def __notes__(self, value: Any) -> None: ...


def test_a_traceback_that_cannot_be_shown(run: Run, of: Of, said: Callable[..., list[str]]) -> None:
    def body() -> None:
        raise Unspeakable

    assert run(of(body)).kind == "failed"
    assert "Unspeakable" in said()[-1]


def test_a_skip_says_why_without_a_traceback(run: Run, of: Of, said: Callable[..., list[str]]) -> None:
    from flowlet import SkipTask

    def body() -> None:
        raise SkipTask("no data")

    run(of(body))
    assert said() == ["INFO task - Skipped: no data"]


def test_an_attempt_that_says_nothing_has_no_log(run: Run, of: Of, logs: Logs) -> None:
    run(of(lambda: 1))
    assert not logs._kept


# -- the program's own --------------------------------------------------------------------------------


@pytest.fixture
def make(clock: VirtualClock, logs: Logs) -> Iterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(clock=clock, logs=logs))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def test_the_factory_is_put_back_by_the_last(make: Callable[[], Worker]) -> None:
    before = logging.getLogRecordFactory()
    one, other = make(), make()
    assert logging.getLogRecordFactory() is not before
    one.close()
    one.close()
    assert logging.getLogRecordFactory() is not before
    other.close()
    assert logging.getLogRecordFactory() is before


def test_nothing_else_of_logging_is_touched(make: Callable[[], Worker]) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.stdout, sys.stderr, threading.Thread.start)
    worker = make()
    assert (list(root.handlers), root.level, sys.stdout, sys.stderr, threading.Thread.start) == before
    worker.close()
    assert logging.getLogger("flowlet").handlers == []


def test_a_factory_that_somebody_put_around_ours_stays(
    make: Callable[[], Worker], workload: Any, of: Of, logs: Logs
) -> None:
    before = logging.getLogRecordFactory()
    worker = make()
    ours = logging.getLogRecordFactory()

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = ours(*args, **kwargs)
        record.msg = f"theirs: {record.msg}"
        return record

    logging.setLogRecordFactory(theirs)
    try:
        worker.close()
        assert logging.getLogRecordFactory() is theirs
        again = make()
        contextvars.copy_context().run(
            again.begin(workload(of(lambda: logging.getLogger().warning("once")))).run_sync
        )
        assert logs.text("dag", "run", "body").count("theirs: once") == 1
        again.close()
        assert logging.getLogRecordFactory() is theirs
    finally:
        logging.setLogRecordFactory(before)


def test_nothing_is_printed_for_want_of_a_handler(
    make: Callable[[], Worker],
    workload: Any,
    of: Of,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    worker = make()
    contextvars.copy_context().run(
        worker.begin(workload(of(lambda ti: ti.log.error("into the log only")))).run_sync
    )
    assert capsys.readouterr() == ("", "")


def test_ti_log_goes_on_to_the_programs_handlers(run: Run, of: Of, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(of(lambda ti: ti.log.info("seen by both")))
    assert caplog.messages == ["seen by both"]


def test_a_closed_capture_has_no_users_left() -> None:
    assert capture._open == {"logging": 0, "all": 0}
