"""What a body does to the process that it shares: the engine survives it, or fails loudly and loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BashOperator, PythonOperator
from flowlet.operators.processes import has_living_member

pytestmark = pytest.mark.anyio

PROLOGUE = """
import asyncio, json, os, pathlib, signal, sys, threading, time
from flowlet import DAG, BashOperator, Engine, LocalExecutor, PythonOperator, task
"""


@asynccontextmanager
async def program(story: str, folder: Path, **more: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of somebody's that uses flowlet; it is gone afterwards."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROLOGUE + story, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, **more,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def output(story: str, folder: Path, **more: Any) -> tuple[int, str, str]:
    """Its exit code and what it wrote."""
    async with program(story, folder, **more) as process:
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


SURVIVED = """
def chdir():
    os.mkdir("elsewhere"); os.chdir("elsewhere")
def umask():
    os.umask(0)
def streams():
    sys.stdout = sys.stderr = None
def environ():
    os.environ.clear()
def patched_clock():
    time.time = time.monotonic_ns = time.time_ns = lambda: 0
def recursion():
    sys.setrecursionlimit(100)
def logging_():
    import logging
    logging.shutdown(); logging.disable(logging.CRITICAL); logging.getLogger().handlers.clear()
def handler():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
def forks(leaves=True):
    child = os.fork()
    if child == 0:
        return sys.exit(7) if leaves else None
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != (7 if leaves else 0):
        raise RuntimeError("the child went on as an engine")
def forks_and_returns():
    forks(leaves=False)

async def main():
    with DAG("hostile") as dag:
        acts = [chdir, umask, streams, environ, patched_clock, recursion, logging_, handler, forks, forks_and_returns]
        before = None
        for act in acts:
            one = PythonOperator(task_id=act.__name__, python_callable=act, trigger_rule="all_done")
            if before is not None:
                before >> one
            before = one
        @task(trigger_rule="all_done")
        def call():
            print("printed")
            return "a thread"
        @task(trigger_rule="all_done")
        async def coroutine():
            return "the loop"
        bash = BashOperator(task_id="bash", bash_command="echo a command", trigger_rule="all_done")
        before >> [call(), coroutine(), bash]
    async with Engine("relative.db", dags=[dag], schedules=False, capture="all", grace=2) as engine:
        return (await (await engine.trigger("hostile")).wait()).as_dict()

report = asyncio.run(main())
os.write(1, json.dumps(report).encode())
"""


async def test_bodies_that_meddle_with_the_process(tmp_path: Path) -> None:
    code, out, err = await output(SURVIVED, tmp_path)
    assert (code, err) == (0, "")
    report = json.loads(out)
    states = report["tasks"]
    assert states.pop("handler") == "failed"  # Python itself refuses: only the main thread sets handlers
    assert set(states.values()) == {"success"}
    values = {key.partition(":")[0]: value for key, value in report["xcoms"].items()}
    assert values == {"call": "a thread", "coroutine": "the loop", "bash": "a command"}
    with sqlite3.connect(tmp_path / "relative.db") as db:
        moments = [moment for (moment,) in db.execute("SELECT ended_at FROM attempts")]
    db.close()
    assert min(moments) > "2026"
    (log,) = (tmp_path / "relative.db.logs").glob("hostile/*/call/1.log")
    assert "printed" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


CLOSES_ALL = """
def closes():
    os.closerange(3, 256)

async def main():
    with DAG("closing") as dag:
        PythonOperator(task_id="body", python_callable=closes)
    async with Engine("flowlet.db", dags=[dag], schedules=False, control=False) as engine:
        await (await engine.trigger("closing")).wait()

asyncio.run(main())
"""


async def test_a_body_that_closes_every_descriptor_is_loud_and_the_file_stays_whole(
    tmp_path: Path, engine_of: Any, book: Any
) -> None:
    async with program(CLOSES_ALL, tmp_path) as process:
        assert process.stderr is not None
        said = (await process.stderr.readline()).decode()
        process.kill()
    assert said.startswith(("the event loop was blocked at", "Traceback")), said
    with DAG("closing") as dag:
        PythonOperator(task_id="body", python_callable=lambda: 1)
    async with engine_of(dag) as engine:
        (run_id,) = (run_id for (run_id,) in book.rows("SELECT run_id FROM runs"))
        run = await (await engine.run("closing", run_id)).wait()
        assert run.state == "success"
        assert await engine._store.check() == []
    assert [row[:3] for row in book.attempts()] == [("body", 1, "interrupted"), ("body", 2, "succeeded")]


NEVER_ENDS = """
from datetime import timedelta
async def main():
    def stays():
        threading.Event().wait()
    with DAG("stuck", on_failure_callback=lambda _: stays()) as dag:
        PythonOperator(task_id="timed_out", python_callable=stays, execution_timeout=timedelta(seconds=0.05))
        PythonOperator(task_id="left", python_callable=stays)
    async with Engine("flowlet.db", dags=[dag], schedules=False, grace=0.1) as engine:
        run = await engine.trigger("stuck")
        while run.task_states["timed_out"] != "failed":
            await asyncio.to_thread(threading.Event().wait, 0.01)
asyncio.run(main())
print("the end")
"""


async def test_a_process_exits_though_its_threads_do_not(tmp_path: Path, book: Any) -> None:
    assert await output(NEVER_ENDS, tmp_path) == (0, "the end\n", "")
    assert [row[:3] for row in book.attempts()] == [("left", 1, "interrupted"), ("timed_out", 1, "timed_out")]


STOPPED = """
from flowlet.executors import watchdog
async def main():
    watchdog._HELD_UP = 0.2
    async def waits():
        await asyncio.to_thread(threading.Event().wait, 0.1)  # the watchdog rests between two heartbeats by now
        pathlib.Path("begun").touch()
        while not os.path.exists("gate"):
            await asyncio.to_thread(threading.Event().wait, 0.01)
    with DAG("stopped") as dag:
        PythonOperator(task_id="body", python_callable=waits, retries=3)
    async with Engine("flowlet.db", dags=[dag], schedules=False) as engine:
        await (await engine.trigger("stopped")).wait()
asyncio.run(main())
"""


def rest(seconds: float) -> None:
    threading.Event().wait(seconds)


async def test_a_process_that_was_stopped_for_a_while_says_so_and_runs_nothing_twice(tmp_path: Path, book: Any) -> None:
    async with program(STOPPED, tmp_path) as process:
        while not (tmp_path / "begun").exists():
            await asyncio.to_thread(rest, 0.01)
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(rest, 1.2)
        process.send_signal(signal.SIGCONT)
        while not book.stalls():
            await asyncio.to_thread(rest, 0.01)
        (tmp_path / "gate").touch()
        assert await process.wait() == 0
    assert book.attempts() == [("body", 1, "succeeded", None)]
    told = [re.match(r"([\d.]+) s: the process stood still \(it was stopped, ", text) for _, text in book.stalls()]
    assert max(float(stood.group(1)) for stood in told if stood is not None) >= 1.2


# -- processes that bodies start ----------------------------------------------------------------------


async def test_what_a_command_leaves_running_ends_with_it(engine_of: Any, book: Any, tmp_path: Path) -> None:
    with DAG("leaving") as dag:
        command = f"sleep 60 > {tmp_path}/out 2>&1 & echo $$ > {tmp_path}/group; echo done"
        BashOperator(task_id="body", bash_command=command)
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("leaving")).wait()
        assert await run.xcom("body") == "done"
    assert not has_living_member(int((tmp_path / "group").read_text()))
    assert "processes that the command left running were ended" in book.log(run, "body")


KILLED = """
async def main():
    with DAG("killed") as dag:
        command = "echo $$ > {folder}/group; if [ -e {folder}/again ]; then exit; fi; touch {folder}/begun; sleep 60"
        BashOperator(task_id="body", bash_command=command.replace("{folder}", os.getcwd()))
    async with Engine("flowlet.db", dags=[dag], schedules=False) as engine:
        await (await engine.trigger("killed", run_id="it")).wait()
asyncio.run(main())
"""


async def test_a_command_of_a_killed_engine_is_ended_before_it_starts_again(tmp_path: Path, book: Any) -> None:
    async with program(KILLED, tmp_path) as process:
        while not (tmp_path / "begun").exists():
            await asyncio.to_thread(rest, 0.01)
        process.kill()
        await process.wait()
    group = int((tmp_path / "group").read_text())
    assert has_living_member(group)
    (tmp_path / "again").touch()
    assert (await output(KILLED, tmp_path))[0] == 0
    assert not has_living_member(group)
    assert [row[:3] for row in book.attempts()] == [("body", 1, "interrupted"), ("body", 2, "succeeded")]
    kinds = book.kinds()
    assert "leftovers_killed" in kinds
    assert "recovered" in kinds


# -- nothing left to give -----------------------------------------------------------------------------


async def test_a_command_waits_until_a_process_can_be_started_and_says_so(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    start, refusals = asyncio.create_subprocess_exec, iter([errno.EMFILE, errno.EAGAIN])

    async def refuse(*args: Any, **kwargs: Any) -> Any:
        number = next(refusals, None)
        if number is not None:
            raise OSError(number, os.strerror(number))
        return await start(*args, **kwargs)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    monkeypatch.setattr("flowlet.operators.processes.LONGEST_PAUSE", 0.1)
    with DAG("short") as dag:
        BashOperator(task_id="body", bash_command="echo at last")
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("short")).wait()
        assert await run.xcom("body") == "at last"
    text = "no process can be started now (Too many open files); it is tried again until one can"
    assert book.events() == [("no_process", "body", text)]
    assert text in book.log(run, "body")


FEW = """
import resource
async def main():
    held = []
    async def takes():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        while True:
            try:
                held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                return
    def frees():
        while not os.path.exists("waits"):
            threading.Event().wait(0.01)
        while held:
            os.close(held.pop())
    with DAG("few") as dag:
        first = PythonOperator(task_id="takes", python_callable=takes)
        BashOperator(task_id="before", bash_command="echo 1") >> first
        commands = [BashOperator(task_id=f"command_{n}", bash_command="echo 1") for n in range(3)]
        first >> [PythonOperator(task_id="frees", python_callable=frees), *commands]
    def hears(event):
        if getattr(event, "kind", None) == "no_process":
            held and os.close(held.pop())
            pathlib.Path("waits").touch()
    async with Engine("flowlet.db", dags=[dag], schedules=False) as engine:
        engine.listeners.subscribe(hears)
        run = await (await engine.trigger("few")).wait()
        print(run.state, json.dumps(run.as_dict()["reasons"]))
asyncio.run(main())
"""


async def test_with_no_descriptor_left_commands_wait_and_none_is_lost(tmp_path: Path, book: Any) -> None:
    code, out, err = await output(FEW, tmp_path)
    assert (code, out) == (0, "success {}\n"), err
    assert book.kinds().count("no_process") >= 1


async def test_without_a_thread_calls_wait_and_say_why_and_coroutines_go(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowlet.executors.threads.AGAIN", 0.01)
    start, given = threading.Thread.start, threading.Event()

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("flowlet:body") and not given.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    async def coroutine() -> int:
        return 1

    with DAG("short") as dag:
        first = PythonOperator(task_id="coroutine", python_callable=coroutine)
        second = PythonOperator(task_id="second", python_callable=lambda: 2)
        PythonOperator(task_id="first", python_callable=lambda: 1)
        first >> second
    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with engine_of(dag) as engine:
        run = await engine.trigger("short")
        while "threads_exhausted" not in book.kinds() or run.task_states["coroutine"] != "success":
            await asyncio.to_thread(rest, 0.002)
        why = "waiting for a slot: no further thread can be had (can't start new thread)"
        assert await engine.why("short", run.run_id, "second") == why
        given.set()
        await run.wait()
    assert set(run.task_states.values()) == {"success"}
    assert book.events() == [
        ("threads_exhausted", None, "no further `def` body starts: no further thread can be had (can't start new thread)")
    ]
