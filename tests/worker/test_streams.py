"""capture="all", for processes of flowlet's own: prints of bodies, and of the threads that they start."""

from __future__ import annotations

import contextvars
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from flowlet import DAG
from flowlet.clock import VirtualClock
from flowlet.worker.logs import Logs
from flowlet.worker.worker import Worker
from flowlet.worker.workload import Workload

Of = Callable[..., DAG]
Printed = Callable[..., list[str]]


class Terminal(io.TextIOWrapper):
    """What stands behind stdout."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def shown(self) -> str:
        return self.buffer.getvalue().decode()  # a BytesIO


class World:
    """A process of flowlet's own: its terminal, and what bodies write."""

    def __init__(
        self, worker: Worker, terminal: Terminal, dag_of: Of, workload: Callable[..., Workload]
    ) -> None:
        self.worker = worker
        self.terminal = terminal
        self._of, self._workload = dag_of, workload

    def printed(self, body: Callable[..., Any]) -> list[str]:
        """The lines of the log of a body, without their time."""
        outcome = contextvars.copy_context().run(self.worker.begin(self._workload(self._of(body))).run_sync)
        assert outcome.kind == "succeeded", outcome.reason
        text = self.worker.logs.text("dag", "run", "body")
        return [line.partition("] ")[2] or line for line in text.splitlines()]


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    clock: VirtualClock,
    logs: Logs,
    of: Of,
    workload: Callable[..., Workload],
) -> Callable[[], AbstractContextManager[World]]:
    """Opened inside of a test: pytest itself exchanges the streams between a test and its fixtures."""

    @contextmanager
    def opened() -> Iterator[World]:
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            worker = Worker(clock=clock, logs=logs, capture="all")
            try:
                yield World(worker, terminal, of, workload)
            finally:
                worker.close()
                assert sys.stdout is terminal
                assert sys.stderr is terminal

    return opened


@pytest.fixture
def printed(world: Callable[[], AbstractContextManager[World]]) -> Printed:
    """What a body writes to its log; nothing of it is on the terminal."""

    def printed(*bodies: Callable[..., Any]) -> list[str]:
        with world() as opened:
            for body in bodies:
                lines = opened.printed(body)
            assert opened.terminal.shown() == ""
        return lines

    return printed


def test_prints_go_to_the_log_only(printed: Printed) -> None:
    def body() -> None:
        print("one", end=" ")
        print("line")
        print("to stderr", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"])
        sys.stdout.flush()

    assert printed(body) == [
        "INFO stdout - one line",
        "INFO stderr - to stderr",
        "INFO stdout - a",
        "INFO stdout - b",
    ]


def test_a_line_without_an_end_is_written_at_the_end(printed: Printed) -> None:
    assert printed(lambda: print("no newline", end="")) == ["INFO stdout - no newline"]


def test_bytes_and_what_is_no_text(printed: Printed) -> None:
    def body() -> None:
        sys.stdout.buffer.write(b"caf\xc3\xa9 \xff\n")
        sys.stdout.buffer.flush()
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")  # that is what is refused

    assert printed(body) == ["INFO stdout - café \\xff"]


def test_outside_of_attempts_streams_are_what_they_were(
    world: Callable[[], AbstractContextManager[World]],
) -> None:
    with world() as opened:
        print("hello")
        sys.stdout.buffer.write(b"bytes\n")
        thread = threading.Thread(target=print, args=("nobody's thread",))
        thread.start()
        thread.join()
        assert (sys.stdout.encoding, sys.stdout.writable(), sys.stdout.isatty()) == ("utf-8", True, False)
        assert sys.stdout.line_buffering is False
        assert opened.terminal.shown() == "hello\nbytes\nnobody's thread\n"


def test_threads_that_a_body_starts_belong_to_it(printed: Printed) -> None:
    class Own(threading.Thread):
        def run(self) -> None:
            print("from a subclass")
            logging.getLogger("deep").warning("in a thread")

    def body() -> None:
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()
        own = Own()
        own.start()
        own.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(print, "from a pool").result()

    assert printed(body) == [
        "INFO stdout - from a thread",
        "INFO stdout - from a subclass",
        "WARNING deep - in a thread",
        "INFO stdout - from a pool",
    ]


def test_a_body_that_sets_stdout_to_none_silences_itself_only(printed: Printed) -> None:
    def silences() -> None:
        sys.stdout = None  # somebody does
        print("lost")

    assert printed(silences) == []
    assert printed(silences, lambda: print("heard")) == ["INFO stdout - heard"]


def test_a_body_that_closes_stdout(printed: Printed) -> None:
    def body() -> None:
        sys.stdout.close()
        print("still open")

    assert printed(body) == ["INFO stdout - still open"]


@contextmanager
def untouched_root() -> Iterator[logging.Logger]:
    """The root logger of a program that has not looked at it; pytest's own handlers come with each phase."""
    root = logging.getLogger()
    before, level, root.handlers = root.handlers, root.level, []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers = before
        root.setLevel(level)


def test_info_is_captured_and_nothing_twice(printed: Printed) -> None:
    def body() -> None:
        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
        logging.getLogger("x").info("once")

    with untouched_root() as root:
        assert printed(body) == ["INFO x - once"]
        assert (root.handlers, root.level) == ([], logging.WARNING)


def test_handlers_of_the_root_logger_go_on_outside_of_attempts(
    monkeypatch: pytest.MonkeyPatch, clock: VirtualClock, logs: Logs, workload: Any, of: Of
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with untouched_root() as root:
        logging.basicConfig(stream=terminal, format="%(message)s")
        (theirs,) = root.handlers
        worker = Worker(clock=clock, logs=logs, capture="all")
        contextvars.copy_context().run(
            worker.begin(workload(of(lambda: logging.getLogger().warning("inside")))).run_sync
        )
        logging.getLogger().warning("outside")
        worker.close()
        assert terminal.shown() == "outside\n"
        assert logs.text("dag", "run", "body").count("inside") == 1
        assert root.handlers == [theirs]


def test_the_last_of_several_puts_everything_back(
    world: Callable[[], AbstractContextManager[World]], clock: VirtualClock, logs: Logs
) -> None:
    start = threading.Thread.start
    with world() as opened:
        routed = sys.stdout
        other = Worker(clock=clock, logs=logs, capture="all")
        other.close()
        assert sys.stdout is routed
        assert sys.stdout is not opened.terminal
    assert threading.Thread.start is start


def test_what_somebody_put_in_place_of_ours_stays(
    monkeypatch: pytest.MonkeyPatch, clock: VirtualClock, logs: Logs
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    worker = Worker(clock=clock, logs=logs, capture="all")
    theirs = io.StringIO()
    sys.stdout = theirs
    worker.close()
    assert sys.stdout is theirs


def test_a_process_that_a_body_starts_writes_where_this_process_does() -> None:
    story = """
import subprocess, sys
from flowlet import DAG, Engine, task
import asyncio
with DAG("dag") as dag:
    @task
    def body():
        subprocess.run(["echo", "from a process"], check=True)
        print("from the body")
    body()
async def main():
    async with Engine(dags=[dag], capture="all") as engine:
        run = await engine.trigger("dag")
        await run.wait()
asyncio.run(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", story],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
        env={**os.environ},
    )
    assert result.stdout == "from a process\n"
