"""The commands while a scheduler owns the file: those that write ask it, those that read say what it says."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, get_args

import pytest

from flowlet import events
from flowlet.cli import daemon as module

from .process import Process, until

WORK = """
with DAG("gate", max_active_runs=1):
    @task
    async def wait():
        import anyio
        print("waiting", flush=True)
        while not Path("open").exists(): await anyio.sleep(0.01)
        print("let through", flush=True)
    @task(pool="narrow")
    def after(): return 1
    wait() >> after()
with DAG("ticking", start_date=datetime(2024, 1, 1), schedule=timedelta(hours=1), catchup=False):
    EmptyOperator(task_id="t")
"""


@pytest.fixture
def owner(write: Any, start: Any) -> Process:
    """A daemon that has opened its file."""
    write("work.py", WORK)
    daemon: Process = start("daemon", "work.py", "--json")
    daemon.line_with('"event":"started"')
    return daemon


@pytest.fixture
def waiting(owner: Process, flowlet: Any, folder: Path) -> None:
    """A run whose first task waits for the file `open`."""
    assert flowlet("trigger", "gate", "--run-id", "first").out == "first of gate is running\n"
    until(lambda: list(folder.rglob("1.log")), "the body begins")


def has_open(pid: int, file: Path) -> bool:
    return any(str(file) == _target(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir())


def _target(descriptor: Path) -> str | None:
    """What it is open for; None if it was closed since it was listed."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return None


def stop(owner: Process) -> list[dict[str, Any]]:
    owner.signal(signal.SIGTERM)
    return [json.loads(line) for line in owner.end().out.splitlines()]


@pytest.mark.usefixtures("waiting")
def test_why_names_what_each_task_waits_for(flowlet: Any, folder: Path) -> None:
    assert flowlet("tasks", "why", "gate", "wait").out.startswith("running (try 1) since 20")
    assert flowlet("tasks", "why", "gate", "after").out == (
        "waiting for wait (0 of 1 upstreams done, trigger rule all_success)\n"
    )
    (folder / "open").touch()
    after = until(lambda: (why := flowlet("tasks", "why", "gate", "after", "--json").json)["state"] == "scheduled" and why)
    assert after["why"] == (
        "waiting for a slot: pool 'narrow' does not exist; make it with `flowlet pools set narrow SLOTS`"
    )
    assert flowlet("tasks", "why", "gate", "wait").out == "wait is success\n"
    assert flowlet("pools", "set", "narrow", "1").out == "pool narrow has 1 slot\n"
    until(lambda: flowlet("runs", "list", "gate", "--json").json[0]["state"] == "success")


@pytest.mark.usefixtures("waiting")
def test_a_queued_run_says_in_the_list_what_holds_it(flowlet: Any) -> None:
    assert flowlet("trigger", "gate", "--run-id", "second", "--json").json["state"] == "queued"
    held = "max_active_runs (1 of 1 active)"
    assert flowlet("runs", "show", "gate", "second", "--json").json["waits"] == held
    assert [run["waits"] for run in flowlet("runs", "list", "gate", "--json").json] == [held, None]
    assert flowlet("tasks", "why", "gate", "wait", "second").out == f"the run waits: {held}\n"


@pytest.mark.usefixtures("waiting")
def test_a_running_run_of_a_paused_dag_says_so(flowlet: Any) -> None:
    assert flowlet("dags", "pause", "gate").out == "gate is paused\n"
    assert flowlet("runs", "list", "gate", "--json").json[0]["waits"] == "the DAG is paused (flowlet dags unpause gate)"
    assert flowlet("dags", "unpause", "gate").out == "gate is active\n"
    assert flowlet("runs", "list", "gate", "--json").json[0]["waits"] is None


def test_a_run_of_a_dag_that_the_scheduler_does_not_have(write: Any, flowlet: Any, start: Any, folder: Path) -> None:
    other = write("other.py", 'with DAG("other"): EmptyOperator(task_id="t")\n')
    flowlet("run", "other.py")
    flowlet("trigger", "other", "--run-id", "stray")
    write("work.py", WORK)
    owner = start("daemon", "work.py")
    owner.line_with("2 DAGs on flowlet.db")
    why = f"the scheduler (process {owner.pid}) does not have DAG 'other': start it with the file of that DAG, too (flowlet daemon ... {other})"
    assert flowlet("runs", "list", "other", "--json").json[0]["waits"] == why
    assert flowlet("runs", "show", "other", "stray", "--json").json["waits"] == why
    assert flowlet("tasks", "why", "other", "t", "stray").out == f"the run waits: {why}\n"
    assert flowlet("trigger", "other").status == 2


@pytest.mark.usefixtures("waiting")
def test_cancelling_is_what_the_owner_does(owner: Process, flowlet: Any) -> None:
    assert flowlet("runs", "cancel", "gate", "first").out == "first of gate is failed: cancelled\n"
    told = [(event["event"], event.get("state")) for event in stop(owner)]
    assert ("run_ended", "failed") in told


def test_what_a_daemon_tells_is_a_line_of_json_per_event(owner: Process, flowlet: Any, folder: Path) -> None:
    (folder / "open").touch()
    flowlet("pools", "set", "narrow", "1")
    flowlet("trigger", "gate", "--run-id", "first")
    until(lambda: flowlet("runs", "list", "gate", "--json").json[0]["state"] == "success")
    told = [(event["event"], event.get("task_id")) for event in stop(owner) if event.get("dag_id") == "gate"]
    assert told == [
        ("event", None),  # of a pool that does not exist, at first
        ("run_started", None), ("task_started", "wait"), ("task_ended", "wait"), ("task_started", "after"),
        ("task_ended", "after"), ("run_ended", None),
    ]  # fmt: skip


def test_its_first_word_is_that_it_started_also_when_something_is_due_at_once(write: Any, start: Any) -> None:
    write("due.py", """
with DAG("due", start_date=datetime(2024, 1, 1), schedule="@daily", catchup=False): EmptyOperator(task_id="t")
""")
    owner = start("daemon", "due.py", "--json")
    assert json.loads(owner.line())["event"] == "started"
    assert json.loads(owner.line())["dag_id"] == "due"


def test_every_event_has_a_name() -> None:
    assert set(get_args(events.Event)) == set(module._NAMES)


def test_a_daemon_tells_people_who_failed_and_why(write: Any, start: Any, flowlet: Any) -> None:
    write("bad.py", """
with DAG("bad"):
    @task
    def t(): raise ValueError("bad row 17")
    t()
""")
    owner = start("daemon", "bad.py")
    owner.line_with("1 file, 1 DAG on flowlet.db; nothing is due")
    flowlet("trigger", "bad", "--run-id", "first")
    assert owner.line_with("try 1")[22:] == "bad first t try 1 failed: ValueError: bad row 17"
    assert owner.line_with("bad first").endswith(": failed: t")


@pytest.mark.usefixtures("waiting")
def test_the_owner_is_named_to_who_would_own_it_too(owner: Process, flowlet: Any, folder: Path) -> None:
    done = flowlet("run", "work.py", "gate")
    assert done.status == 3
    assert f"flowlet.db is owned by process {owner.pid} on " in done.err
    assert "ask it with `flowlet trigger gate`, or use another file (--db)" in done.err
    assert flowlet("daemon", "work.py").status == 3
    assert flowlet("doctor", "--json").json["ok"] is True
    assert f"process {owner.pid} on " in flowlet("doctor").out
    assert flowlet("db", "check").status == 0
    assert flowlet("db", "backup", "copy.db").status == 0
    assert flowlet("runs", "list", "gate", "--db", "copy.db", "--json").json[0]["state"] == "running"
    assert flowlet("db", "prune").out == "deleted: 0 runs\n"
    assert flowlet("pools", "list", "--json").json[0] == {"name": "default_pool", "slots": 128, "used": 1, "description": "", "include_deferred": False}
    assert flowlet("pools", "delete", "nix").status == 2
    assert flowlet("trigger", "nix").err == "flowlet: no DAG 'nix' is registered; known: gate, ticking\n"


def test_a_question_is_answered_by_the_owner_that_asks(write: Any, start: Any, flowlet: Any) -> None:
    write("ask.py", """
from flowlet.operators.hitl import ApprovalOperator
with DAG("asks"):
    ApprovalOperator(task_id="ask", subject="Go on?") >> EmptyOperator(task_id="after")
""")
    daemon: Process = start("daemon", "ask.py", "--json")
    daemon.line_with('"event":"started"')
    flowlet("trigger", "asks", "--run-id", "r")
    until(lambda: "awaiting_input" in flowlet("tasks", "why", "asks", "ask").out, "it asks")
    assert flowlet("tasks", "why", "asks", "ask").out.endswith("waiting for an answer to 'Go on?': Approve, Reject\n")
    assert "is no answer to 'Go on?'" in flowlet("tasks", "answer", "asks", "r", "ask", "Maybe").err
    assert flowlet("tasks", "answer", "asks", "r", "ask", "Approve").out == "ask of r is answered: Approve\n"
    assert json.loads(daemon.line_with('"event":"run_ended"'))["state"] == "success"


@pytest.mark.usefixtures("waiting")
def test_a_log_is_followed_until_its_task_ends(start: Any, folder: Path) -> None:
    follower = start("tasks", "logs", "gate", "wait", "-f")
    assert follower.line().endswith(" - waiting")
    (folder / "open").touch()
    assert follower.line().endswith(" - let through")
    assert (follower.line(), follower.end().status) == ("", 0)


def test_a_log_is_followed_from_before_its_task_starts_through_its_tries(write: Any, start: Any, flowlet: Any, folder: Path) -> None:
    write("again.py", """
with DAG("again"):
    @task
    async def gate():
        import anyio
        while not Path("open").exists(): await anyio.sleep(0.01)
    @task(retries=1, retry_delay=timedelta(0))
    def flaky(ti):
        print("try", ti.try_number)
        while not Path("seen").exists(): time.sleep(0.01)
        if ti.try_number == 1: raise OSError("refused")
    gate() >> flaky()
""")
    start("daemon", "again.py").line_with("1 DAG")
    flowlet("trigger", "again")
    follower = start("tasks", "logs", "again", "flaky", "-f", "--json")
    until(lambda: has_open(follower.pid, folder / "flowlet.db"))
    (folder / "open").touch()
    assert json.loads(follower.line())["line"].endswith(" - try 1")
    (folder / "seen").touch()
    lines = [json.loads(line)["line"] for line in iter(follower.line, "")]
    assert "OSError: refused" in lines and lines[-1].endswith(" - try 2")
    assert follower.end().status == 0


@pytest.mark.usefixtures("waiting")
def test_following_ends_when_the_scheduler_is_gone(owner: Process, start: Any) -> None:
    follower = start("tasks", "logs", "gate", "wait", "-f")
    follower.line_with("waiting")
    owner.signal(signal.SIGKILL)
    owner.end()
    done = follower.end()
    assert done.err == "flowlet: wait is running, and no scheduler runs on this database: nothing more comes\n"
    assert done.status == 0


@pytest.mark.usefixtures("waiting")
def test_an_owner_that_hangs_is_told_by_the_doctor(owner: Process, flowlet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowlet.engine import control

    original = control.request
    monkeypatch.setattr(control, "request", lambda path, verb, *args, **options: original(path, verb, *args, timeout=0.2))
    owner.signal(signal.SIGSTOP)
    try:
        done = flowlet("doctor")
        assert done.status == 1
        assert "does not answer" in done.out and "If it hangs, end it" in done.out
        assert flowlet("dags", "pause", "gate").status == 3
        assert flowlet("tasks", "why", "gate", "after").out.startswith("waiting for wait")  # from the file
    finally:
        owner.signal(signal.SIGCONT)


def test_a_file_with_problems_does_not_keep_the_others_from_running(write: Any, start: Any, flowlet: Any) -> None:
    write("bad.py", "x = \n")
    write("good.py", 'with DAG("good"): EmptyOperator(task_id="t")\n')
    write("again.py", 'with DAG("good"): EmptyOperator(task_id="t")\n')
    owner = start("daemon", "bad.py", "good.py", "again.py", "--json")
    problems = [json.loads(owner.line()) for _ in range(2)]
    assert [(problem["event"], problem["kind"]) for problem in problems] == [("problem", "SyntaxError"), ("problem", "DuplicateDagId")]
    assert all(name in problems[1]["text"] for name in ("good.py:2", "again.py:2"))
    assert json.loads(owner.line())["dags"] == ["good"]
    assert flowlet("trigger", "good", "--json").status == 0
