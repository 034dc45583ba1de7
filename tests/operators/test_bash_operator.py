"""BashOperator and `@task.bash`: real commands, in process groups of their own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from flowlet import DAG, BashOperator, DagError, Engine, PythonOperator, XComArg, task
from flowlet.operators import processes
from flowlet.operators.processes import Group

Run = Callable[..., Any]


def told_of(run: Run, bash_command: str, *, logs: bool = False, **arguments: Any) -> Any:
    """What a run of one command came to."""
    with DAG("shell") as dag:
        BashOperator(task_id="sh", bash_command=bash_command, **arguments)
    return run(dag, logs=logs)


# -- its value -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("echo one; echo two", "two"),
        ("printf 'no newline'", "no newline"),
        ("printf 'trailing   \\n'", "trailing"),
        ("printf '  leading'", "  leading"),
        ("printf 'carriage\\r\\n'", "carriage"),
        ("printf 'last\\n\\n'", ""),
        ("true", ""),
        ("echo out; echo err >&2", "err"),
        ("printf 'gr\\303\\274n'", "grün"),
        ("printf 'bad \\377 byte'", "bad \\xff byte"),
    ],
)
def test_the_last_line_of_the_output_is_the_value(run: Run, command: str, value: str) -> None:
    assert told_of(run, command).xcom("sh") == value


def test_without_xcom_push_nothing_is_pushed(run: Run) -> None:
    assert told_of(run, "echo x", do_xcom_push=False).pushed("sh") == set()


def test_output_is_decoded_as_said(run: Run) -> None:
    assert told_of(run, "printf 'gr\\374n'", output_encoding="latin-1").xcom("sh") == "grün"


def test_an_unknown_encoding_is_refused_where_it_is_written() -> None:
    with pytest.raises(DagError, match=r"'sh'.*'klingon'.*test_bash_operator\.py:\d+"), DAG("d"):
        BashOperator(task_id="sh", bash_command="true", output_encoding="klingon")


def test_a_processor_makes_the_value_of_the_last_line(run: Run) -> None:
    import json

    assert told_of(run, "echo '{\"a\": 1}'", output_processor=json.loads).xcom("sh") == {"a": 1}


def test_a_processor_sees_the_line_even_if_nothing_is_pushed(run: Run) -> None:
    seen: list[str] = []
    told = told_of(run, "echo x", output_processor=seen.append, do_xcom_push=False)
    assert (seen, told.pushed("sh")) == (["x"], set())


def test_a_processor_that_raises_fails_the_task(run: Run) -> None:
    assert "invalid literal" in told_of(run, "echo x", output_processor=int).reasons["sh"]


def test_every_line_of_both_streams_is_in_the_log(run: Run) -> None:
    log = told_of(run, "echo first; echo second >&2; printf third", logs=True).log("sh")
    assert [word for word in ("first", "second", "third") if word in log] == ["first", "second", "third"]


# -- exit codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "arguments", "state"),
    [
        (0, {}, "success"),
        (1, {}, "failed"),
        (99, {}, "skipped"),
        (99, {"skip_on_exit_code": None}, "failed"),
        (7, {"skip_on_exit_code": 7}, "skipped"),
        (99, {"skip_on_exit_code": 7}, "failed"),
        (8, {"skip_on_exit_code": [7, 8]}, "skipped"),
        (8, {"skip_on_exit_code": range(5, 10)}, "skipped"),
        (0, {"skip_on_exit_code": 0}, "skipped"),
    ],
)
def test_the_exit_code_decides(run: Run, code: int, arguments: dict[str, Any], state: str) -> None:
    assert told_of(run, f"exit {code}", **arguments).tasks["sh"] == state


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("exit 3", "ended with exit code 3"),
        ("kill -KILL $$", "killed by signal 9 (SIGKILL)"),
        ("bash -c 'kill -TERM $$'; exit $?", "exit code 143, as a shell does after signal 15 (SIGTERM)"),
        ("no-such-command-anywhere", "exit code 127"),
    ],
)
def test_a_failure_says_how_the_command_ended(run: Run, command: str, words: str) -> None:
    assert words in told_of(run, command).reasons["sh"]


def test_a_failed_command_is_retried(run: Run, tmp_path: Path) -> None:
    told = told_of(run, f"test -e {tmp_path}/flag || {{ touch {tmp_path}/flag; exit 1; }}", retries=1)
    assert (told.state, told.tries["sh"]) == ("success", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bash_command": None}, "bash_command must be a string, not None"),
        ({"bash_command": ["ls"]}, "bash_command must be a string, not ['ls']"),
        ({"env": ["A=1"]}, "env must be a dict of strings, not ['A=1']"),
    ],
)
def test_what_can_be_no_command_is_refused_where_it_is_written(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(DagError, match=r"test_bash_operator\.py:\d+") as caught, DAG("d"):
        BashOperator(task_id="sh", **{"bash_command": "true", **arguments})
    assert words in str(caught.value)


@pytest.mark.parametrize("nothing", ["", "   ", "{% if false %}echo never{% endif %}"])
def test_an_empty_command_succeeds_with_nothing(run: Run, nothing: str) -> None:
    assert told_of(run, nothing).xcom("sh") == ""


def test_a_command_that_comes_from_a_task_must_be_a_string(run: Run) -> None:
    with DAG("shell") as dag:
        BashOperator(task_id="sh", bash_command=PythonOperator(task_id="five", python_callable=lambda: 5).output)
    assert "must be a string, not 5" in run(dag).reasons["sh"]


# -- where it runs ---------------------------------------------------------------------------------------


def test_without_env_the_engines_environment_is_inherited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    assert told_of(run, "echo $INHERITED").xcom("sh") == "yes"


def test_env_replaces_the_environment_and_is_rendered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    told = told_of(run, 'echo "<$INHERITED> $DAY"', env={"DAY": "{{ ds }}"})
    assert told.xcom("sh") == "<> 2026-01-01"


def test_append_env_adds_to_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    told = told_of(run, 'echo "$INHERITED $MORE"', env={"MORE": "more"}, append_env=True)
    assert told.xcom("sh") == "yes more"


def test_the_command_knows_its_attempt_whatever_env_says(run: Run) -> None:
    told = told_of(run, 'echo "$AIRFLOW_CTX_DAG_ID/$AIRFLOW_CTX_TASK_ID/$AIRFLOW_CTX_TRY_NUMBER"', env={})
    assert told.xcom("sh") == "shell/sh/1"
    assert "AIRFLOW_CTX_DAG_ID" not in os.environ


def test_env_of_anything_but_strings_names_the_entry(run: Run) -> None:
    assert "'N': 1" in told_of(run, "true", env={"N": 1}).reasons["sh"]


def test_it_runs_in_an_empty_folder_that_is_gone_afterwards(run: Run) -> None:
    folder = told_of(run, "ls -A; mkdir -p deep/er; touch deep/er/file; pwd").xcom("sh")
    assert not Path(folder).exists()
    assert told_of(run, "ls -A | wc -l").xcom("sh").strip() == "0"


def test_cwd_is_rendered_and_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "2026-01-01").mkdir()
    assert told_of(run, "touch here; pwd", cwd=f"{tmp_path}/{{{{ ds }}}}").xcom("sh") == str(tmp_path / "2026-01-01")
    assert (tmp_path / "2026-01-01" / "here").exists()


def test_a_cwd_that_is_no_folder_fails_with_its_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"does not exist: {tmp_path}/none" in told_of(run, "true", cwd=f"{tmp_path}/none").reasons["sh"]
    assert f"is not a folder: {tmp_path}/file" in told_of(run, "true", cwd=f"{tmp_path}/file").reasons["sh"]


def test_stdin_is_empty_whatever_the_engines_is(run: Run) -> None:
    mine, (read, write) = os.dup(0), os.pipe()
    os.write(write, b"of the engine\n")
    os.close(write)
    os.dup2(read, 0)
    try:
        assert told_of(run, "cat").xcom("sh") == ""
    finally:
        os.dup2(mine, 0)
        for end in (mine, read):
            os.close(end)


def test_it_leads_a_session_of_its_own_so_that_no_terminal_signals_it(run: Run) -> None:
    own = told_of(run, 'read -ra it < /proc/$$/stat; echo "${it[4]} ${it[5]} $$"').xcom("sh").split()
    assert len(set(own)) == 1


# -- templates -------------------------------------------------------------------------------------------


def test_the_command_is_a_template(run: Run) -> None:
    told = told_of(run, "echo {{ ds }} {{ params.who }}", params={"who": "me"})
    assert told.xcom("sh") == "2026-01-01 me"


def test_a_name_that_the_template_does_not_know_fails_the_task_and_says_where(run: Run) -> None:
    told = told_of(run, "echo {{ no_such_name }}", logs=True)
    assert "'no_such_name' is undefined" in told.reasons["sh"]
    assert "bash_command" in told.log("sh")


def test_a_command_that_ends_in_sh_is_a_template_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "say.sh").write_text("# a file\necho '{{ ds }} from a file'\n")
    with DAG("files", template_searchpath=str(tmp_path)) as dag:
        BashOperator(task_id="sh", bash_command="say.sh")
        BashOperator(task_id="plain", bash_command=f"bash {tmp_path}/say.sh ")
    told = run(dag)
    assert told.xcom("sh") == "2026-01-01 from a file"
    assert told.xcom("plain") == "{{ ds }} from a file"


def test_a_template_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with DAG("files", template_searchpath=str(tmp_path)) as dag:
        BashOperator(task_id="sh", bash_command="nowhere.sh")
    assert "nowhere.sh" in run(dag).reasons["sh"]


def test_a_command_too_long_for_one_argument_is_run_all_the_same(run: Run) -> None:
    filler = "# " + "x" * 98 + "\n"
    assert told_of(run, filler * 2000 + "echo long").xcom("sh") == "long"


def test_braces_of_the_shell_are_not_templates(run: Run) -> None:
    assert told_of(run, "A=1; echo ${A} {a,b}").xcom("sh") == "1 a b"


# -- its end ---------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: who opens it for reading waits for a writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def alive(pid: int) -> bool:
    """Whether the process lives; a zombie, whose parent does not ask for it, does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != b"Z"


def test_a_command_past_its_execution_timeout_is_ended(run: Run, tmp_path: Path) -> None:
    told = told_of(run, f"echo $$ > {tmp_path}/pid; sleep 600 & wait", execution_timeout=timedelta(seconds=1))
    assert "execution_timeout" in told.reasons["sh"]
    assert told.story["errors"]["sh"] == ["TaskTimeout"]
    assert not alive(int((tmp_path / "pid").read_text()))


async def cancel_when_up(dag: DAG, pipe: Path) -> Any:
    """Run the DAG, and cancel the run once somebody has written into the pipe."""
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger(dag.dag_id)
        pids = await anyio.to_thread.run_sync(pipe.read_text, abandon_on_cancel=True)
        await run.cancel()
        await run.wait()
    return run.as_dict(), [int(pid) for pid in pids.split()]


@pytest.mark.anyio
async def test_a_cancelled_command_leaves_none_of_what_it_started(pipe: Path) -> None:
    with DAG("shell") as dag:
        BashOperator(
            task_id="sh",
            bash_command="sleep 600 & A=$!; bash -c 'sleep 600 & echo $! > b; wait' & until test -s b; do :; done;"
            f" echo $A $(cat b) $$ > {pipe}; wait",
        )
    story, pids = await cancel_when_up(dag, pipe)
    assert story["state"] == "failed"
    assert [alive(pid) for pid in pids] == [False, False, False]


@pytest.mark.anyio
async def test_a_command_that_ignores_term_is_killed(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.1)
    with DAG("shell") as dag:
        BashOperator(task_id="sh", bash_command=f"trap '' TERM; echo $$ > {pipe}; while :; do sleep 0.02; done")
    story, (pid,) = await cancel_when_up(dag, pipe)
    assert story["state"] == "failed"
    assert not alive(pid)


def test_on_kill_sends_term_to_the_whole_group(run: Run, pipe: Path) -> None:
    started: list[Any] = []

    class Watched(BashOperator):
        async def run_command(self, command: str, context: Any) -> Any:
            started.append(self)
            return await super().run_command(command, context)

    def kill_when_it_runs() -> None:
        pipe.read_text()  # until the command has set its trap
        while started[0]._running is None:
            pass  # until the loop has noticed that it started
        started[0].on_kill()

    killer = threading.Thread(target=kill_when_it_runs, daemon=True)
    killer.start()
    with DAG("shell") as dag:
        Watched(
            task_id="sh",
            bash_command=f"trap 'echo got term; exit 5' TERM; echo up > {pipe}; while :; do :; done",
            skip_on_exit_code=5,
        )
    assert run(dag).tasks["sh"] == "skipped"
    killer.join(10)


@pytest.mark.anyio
async def test_a_command_that_is_stopped_while_it_starts_is_ended(
    pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, up, go_on = asyncio.create_subprocess_exec, asyncio.Event(), asyncio.Event()

    async def slow_start(*command: Any, **options: Any) -> Any:
        process = await start(*command, **options)
        up.set()
        await go_on.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow_start)
    command = ["bash", "-c", f"echo $$ > {pipe}; sleep 600"]
    starting = Group.start(command, env=dict(os.environ), cwd=str(tmp_path))
    body = asyncio.get_running_loop().create_task(starting)
    await up.wait()
    pid = int(await anyio.to_thread.run_sync(pipe.read_text))
    body.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await body
    assert not alive(pid)


def test_a_subclass_may_wrap_the_blocking_execute(run: Run) -> None:
    class Louder(BashOperator):
        def execute(self, context: Any) -> Any:
            return super().execute(context).upper()

    with DAG("shell") as dag:
        Louder(task_id="sh", bash_command="echo loud")
    assert run(dag).xcom("sh") == "LOUD"


# -- @task.bash ------------------------------------------------------------------------------------------


def test_a_function_says_which_command_to_run(run: Run) -> None:
    with DAG("shell") as dag:

        @task
        def word() -> str:
            return "given"

        @task.bash(env={"WHO": "{{ task.task_id }}"})
        def say(word: str, ds: str) -> str:
            return f"echo {word} {ds} {{{{ ts_nodash }}}} $WHO"

        @task.bash
        async def say_async(word: XComArg) -> str:
            return f"echo async {word}"

        say(word())
        say_async(word())
    told = run(dag)
    assert told.xcom("say") == "given 2026-01-01 20260101T000000 say"
    assert told.xcom("say_async") == "async given"
    assert dag.spec.by_id["say"].operator == "@task.bash"


@pytest.mark.parametrize("answer", ["", "  ", None, 5])
def test_a_function_that_gives_no_command_fails_its_task(run: Run, answer: Any) -> None:
    with DAG("shell") as dag:

        @task.bash
        def say() -> Any:
            return answer

        say()
    assert "must return a command" in run(dag).reasons["say"]


def test_a_function_may_name_a_template_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "say.sh").write_text("echo {{ ds }}")
    with DAG("shell", template_searchpath=str(tmp_path)) as dag:

        @task.bash
        def say() -> str:
            return "say.sh"

        say()
    assert run(dag).xcom("say") == "2026-01-01"
