"""Signals, pipes and terminals, with real processes: an end is graceful, bounded, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from flowlet.store import Reader

from .process import PATIENCE, ROOT, until

SLEEPER = """
with DAG("sleeper"):
    BashOperator(task_id="bash", bash_command="sleep 1000 & echo $! > child; mv child child.pid; wait", cwd=os.getcwd())
"""

THREAD = """
import threading
with DAG("thread"):
    @task
    def body(): Path("begun").touch(); threading.Event().wait()
    body()
"""

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)


def child_of(folder: Path) -> int:
    """The number of the process that the Bash task started; when it is there, the task runs."""
    until((folder / "child.pid").exists, "the command begins")
    return int((folder / "child.pid").read_text())


def is_gone(pid: int) -> bool:
    """It has ended (a zombie that nobody fetches is no process any more)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def attempts(folder: Path) -> list[tuple[Any, ...]]:
    with Reader(folder / "flowlet.db") as reader:
        assert reader.check() == []
        return [(row["task_id"], row["try_number"], row["outcome"]) for row in reader.rows("attempts")]


@SIGNALS
def test_one_signal_stops_a_daemon_within_its_grace(number: int, write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("sleeper.py", SLEEPER)
    daemon = start("daemon", "sleeper.py", "--grace", "0")
    daemon.line_with("1 DAG on flowlet.db")
    assert flowlet("trigger", "sleeper").status == 0
    child = child_of(folder)
    daemon.signal(number)
    done = daemon.end()
    assert (done.status, done.out) == (0, "stopped\n")
    assert done.err == "\nstopping: bodies that run may end (again: at once)\n"
    assert is_gone(child)
    assert attempts(folder) == [("bash", 1, "interrupted")]


def test_a_second_signal_ends_a_daemon_at_once_and_its_commands_with_it(write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("sleeper.py", SLEEPER)
    daemon = start("daemon", "sleeper.py", "--grace", "1000")
    daemon.line_with("1 DAG on flowlet.db")
    assert flowlet("trigger", "sleeper").status == 0
    child = child_of(folder)
    daemon.signal(signal.SIGINT)
    daemon.says("\nstopping")
    daemon.signal(signal.SIGTERM)
    done = daemon.end()
    assert (done.status, done.out) == (128 + signal.SIGTERM, "")
    until(lambda: is_gone(child), "the command is killed")
    assert attempts(folder) == [("bash", 1, None)]  # it is found, recorded and tried again at the next start


def test_what_a_killed_daemon_left_goes_on_with_the_next(write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("job.py", """
with DAG("job"):
    @task
    async def body(ti):
        import anyio
        Path(f"begun.{ti.try_number}").touch()
        if ti.try_number == 1: await anyio.sleep_forever()
    body()
""")
    first = start("daemon", "job.py", "--json")
    first.line_with('"started"')
    assert flowlet("trigger", "job").status == 0
    until((folder / "begun.1").exists)
    first.signal(signal.SIGKILL)
    first.end()
    second = start("daemon", "job.py", "--json")
    assert '"state":"success"' in second.line_with('"run_ended"')
    second.signal(signal.SIGTERM)
    assert second.end().status == 0
    assert attempts(folder) == [("body", 1, "interrupted"), ("body", 2, "succeeded")]


#: Where in the life of a daemon a signal comes: the file that it loads arranges for it.
MOMENTS = {
    "the engine opens": "flowlet.engine.engine.Engine.__aenter__",
    "the file is open": "flowlet.engine.engine.Engine._open",
    "the socket opens": "flowlet.engine.engine.Engine._open_control",
    "the first turn": "flowlet.scheduler.loop.Scheduler.run",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("words", ["daemon", "run"])
def test_a_signal_while_the_engine_starts_is_a_graceful_end(moment: str, words: str, write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    module, cls, method = MOMENTS[moment].rsplit(".", 2)
    write("now.py", f"""
import signal, {module} as module
original = module.{cls}.{method}
async def and_a_signal(self, *args):
    os.kill(os.getpid(), signal.SIGTERM)
    return await original(self, *args)
module.{cls}.{method} = and_a_signal
with DAG("now"):
    @task
    async def body():
        import anyio
        await anyio.sleep_forever()
    body()
""")
    done = start(words, "now.py").end()
    told = {"daemon": (0, "stopped"), "run": (128 + signal.SIGTERM, "  body (try 1): cancelled")}[words]
    assert (done.status, [line for line in done.out.splitlines() if "log" not in line][-1]) == told
    assert ("stopping" if words == "daemon" else "cancelling") in done.err
    assert attempts(folder) == ([] if words == "daemon" else [("body", 1, "cancelled")])
    assert flowlet("dags", "list").status == 0


def test_a_signal_while_a_file_is_loaded_ends_the_process_before_anything_is_opened(write: Any, start: Any, folder: Path) -> None:
    write("now.py", "import signal\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n")
    assert start("daemon", "now.py").end().status == -signal.SIGTERM
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == ["now.py"]


ENDS = {
    "the engine closes": "flowlet.engine.engine.Engine.__aexit__",
    "bodies end": "flowlet.executors.local.LocalExecutor.close",
    "the file closes": "flowlet.store.store.Store.close",
}


@pytest.mark.parametrize("moment", ENDS)
def test_a_signal_while_a_daemon_stops_is_the_second_one(moment: str, write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    module, cls, method = ENDS[moment].rsplit(".", 2)
    write("now.py", f"""
import signal, {module} as module
original = module.{cls}.{method}
async def and_a_signal(self, *args):
    os.kill(os.getpid(), signal.SIGTERM)
    return await original(self, *args)
module.{cls}.{method} = and_a_signal
with DAG("now"): EmptyOperator(task_id="t")
""")
    daemon = start("daemon", "now.py")
    daemon.line_with("1 DAG on flowlet.db")
    daemon.signal(signal.SIGINT)
    assert daemon.end().status == 128 + signal.SIGTERM
    assert attempts(folder) == []
    assert flowlet("trigger", "now").status == 0  # the file is whole, and free


def test_a_second_signal_works_while_a_body_blocks_the_loop(write: Any, start: Any, folder: Path) -> None:
    write("blocker.py", """
with DAG("blocker"):
    @task
    async def body():
        Path("begun").touch()
        while True: time.sleep(0.01)
    body()
""")
    process = start("run", "blocker.py")
    until((folder / "begun").exists)
    process.signal(signal.SIGINT)
    process.says("\ncancelling the run")
    process.signal(signal.SIGINT)
    assert process.end().status == 130


@SIGNALS
def test_one_signal_cancels_a_run_and_the_user_is_told_how_it_ended(number: int, write: Any, start: Any, folder: Path) -> None:
    write("sleeper.py", SLEEPER)
    process = start("run", "sleeper.py")
    child = child_of(folder)
    process.signal(number)
    done = process.end()
    assert done.status == 128 + number
    assert done.err == "\ncancelling the run (again: at once)\n"
    assert "  bash (try 1): cancelled" in done.out.splitlines()
    until(lambda: is_gone(child))
    assert attempts(folder) == [("bash", 1, "cancelled")]


def test_a_run_whose_body_is_a_thread_is_cancelled_without_waiting_for_it(write: Any, start: Any, folder: Path) -> None:
    write("thread.py", THREAD)
    process = start("run", "thread.py", "--json")
    until((folder / "begun").exists)
    process.signal(signal.SIGINT)
    done = process.end()
    assert (done.status, done.json["state"], done.json["reason"]) == (130, "failed", "cancelled")


def test_under_nohup_a_closed_terminal_stops_nothing(write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("thread.py", THREAD)
    daemon = start("daemon", "thread.py", command=["nohup", sys.executable, "-m", "flowlet"])
    daemon.line_with("1 DAG on flowlet.db")
    daemon.signal(signal.SIGHUP)
    assert flowlet("dags", "list").status == 0
    assert daemon.popen.poll() is None
    daemon.signal(signal.SIGTERM)
    assert daemon.end().err.count("stopping") == 1


# -- pipes -------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_stops_no_run(write: Any, start: Any, flowlet: Any) -> None:
    write("many.py", """
with DAG("many"):
    @task
    def t(): print("x" * 1000)
    for number in range(100): t.override(task_id=f"t{number}")()
""")
    words = [sys.executable, "-m", "flowlet", "run", "many.py"]
    done = start(*words, command=["bash", "-c", 'set -o pipefail; "$@" | head -1', "bash"]).end()
    assert (done.status, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    (run,) = flowlet("runs", "list", "--json").json
    assert run["state"] == "success"
    assert len(flowlet("runs", "show", "many", "--json").json["attempts"]) == 100


def test_a_reader_that_leaves_early_is_no_error_of_a_list(write: Any, start: Any, flowlet: Any) -> None:
    write("good.py", 'with DAG("good"): EmptyOperator(task_id="t")\n')
    flowlet("run", "good.py")
    done = start("db", "check", "--json", command=["bash", "-c", '"$0" -m flowlet "$@" | true; exit ${PIPESTATUS[0]}', sys.executable]).end()
    assert (done.status, done.err) == (0, "")


def test_a_reader_that_does_not_read_does_not_hold_up_the_run(write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("loud.py", """
with DAG("loud"):
    @task
    def shout(): print(("x" * 1000 + "\\n") * 1000)
    @task
    def after(): Path("after").touch()
    shout() >> after()
""")
    process = start("run", "loud.py")
    until((folder / "after").exists, "the second task runs while a megabyte waits to be read")
    until(lambda: flowlet("runs", "list", "--json").json[0]["state"] == "success")
    assert process.popen.poll() is None
    done = process.end()
    assert done.status == 0
    assert done.out.count("shout | xxx") == 1000


def test_what_a_bodys_own_processes_print_stays_out_of_the_json(write: Any, start: Any) -> None:
    write("shell.py", """
with DAG("shell"):
    @task
    def body(): os.system("echo from a process")
    body()
""")
    done = start("run", "shell.py", "--json").end()
    assert done.json["state"] == "success"
    assert done.err == "from a process\n"


# -- a terminal --------------------------------------------------------------------------------------------


class Terminal:
    """A terminal of 24 lines and 100 columns, and what is written to it."""

    def __init__(self, *words: str, folder: Path) -> None:
        self.text = ""
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100", "LINES": "24"}
            os.execve(sys.executable, [sys.executable, "-m", "flowlet", *words], environment)

    def read_until(self, text: str) -> None:
        import select

        while text not in self.text:
            assert select.select([self._end], [], [], PATIENCE)[0], f"no {text!r} in {self.text!r}"
            self._read()

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def end(self) -> int:
        """Read to its end; gives the exit status."""
        while self._read():
            pass
        os.close(self._end)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        try:
            data = os.read(self._end, 65536)
        except OSError:  # Linux says so when the other side has closed
            return False
        self.text += data.decode()
        return bool(data)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestOnATerminal:
    def test_a_run_is_drawn_and_its_prints_stand_above(self, write: Any, folder: Path) -> None:
        write("etl.py", 'with DAG("etl"):\n    @task\n    def report(): print("12 rows")\n    report()\n')
        terminal = Terminal("run", "etl.py", folder=folder)
        assert terminal.end() == 0
        assert "\x1b[2mreport | \x1b[0m12 rows" in terminal.text
        assert "1 of 1 task" in terminal.text
        assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h") == 1  # the cursor is back
        assert "\x1b[32metl: success in" in terminal.text.split("\x1b[?25h")[1]

    def test_of_a_mapped_task_its_instances_are_drawn_where_it_stood(self, write: Any, folder: Path) -> None:
        write("mapped.py", """
with DAG("mapped"):
    @task
    def names(): return ["a", "b"]
    @task
    def load(name): return name
    @task
    def total(loaded): return len(loaded)
    total(load.expand(name=names()))
""")
        terminal = Terminal("run", "mapped.py", folder=folder)
        assert terminal.end() == 0
        assert "4 of 4 tasks" in terminal.text
        last = terminal.text.split("4 of 4 tasks")[-1].split("\x1b[?25h")[0]
        assert re.findall(r"success\S*  (\S+)", last) == ["names", "load[0]", "load[1]", "total"]

    def test_ctrl_c_cancels_and_ctrl_c_again_ends_at_once_with_the_cursor_back(self, write: Any, folder: Path) -> None:
        write("blocker.py", """
with DAG("blocker"):
    @task
    async def body():
        import anyio
        while not Path("drawn").exists(): await anyio.sleep(0.01)
        Path("blocking").touch()
        while True: time.sleep(0.01)
    body()
""")
        terminal = Terminal("run", "blocker.py", folder=folder)
        terminal.read_until("\x1b[?25l")
        (folder / "drawn").touch()
        until((folder / "blocking").exists)
        terminal.type(b"\x03")
        terminal.read_until("cancelling the run (again: at once)")
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert terminal.text.endswith("\x1b[?25h")

    def test_a_terminal_that_is_stopped_does_not_stop_the_run(self, write: Any, folder: Path, flowlet: Any) -> None:
        write("loud.py", """
with DAG("loud"):
    @task
    def shout(): print(("x" * 90 + "\\n") * 5000)
    @task
    def after(): Path("after").touch()
    shout() >> after()
""")
        terminal = Terminal("run", "loud.py", folder=folder)
        terminal.read_until("\x1b[?25l")
        terminal.type(b"\x13")  # Ctrl-S
        until((folder / "after").exists)
        until(lambda: flowlet("runs", "list", "--json").json[0]["state"] == "success")
        terminal.type(b"\x11")  # Ctrl-Q
        assert terminal.end() == 0

    def test_lists_are_drawn_with_ids_in_one_piece_and_json_is_not(self, write: Any, folder: Path, flowlet: Any) -> None:
        write("good.py", 'with DAG("good"): EmptyOperator(task_id="t")\n')
        long = "a-run-of-a-name-that-is-longer-than-its-column-would-be-if-a-hundred-had-to-do-" * 2
        flowlet("run", "good.py", "--run-id", long)
        drawn, plain = Terminal("runs", "list", folder=folder), Terminal("runs", "list", "--json", folder=folder)
        assert (drawn.end(), plain.end()) == (0, 0)
        assert f"good  {long}  \x1b[32msuccess\x1b[0m  " in drawn.text
        assert "\x1b" not in plain.text
