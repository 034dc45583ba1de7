"""Whatever is wrong with a command is told in one line that names the thing, the place and the way out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from flowlet.cli.commands import COMMANDS

PYTHON = [sys.executable, "-m", "flowlet"]
LISTS = [command.words for command in COMMANDS if command.words.endswith(" list")]
GOOD = 'with DAG("good"): EmptyOperator(task_id="t")\n'


def refused(done: Any) -> tuple[int, str]:
    """The status and the one sentence on standard error; standard output stays empty."""
    assert done.out == ""
    (line,) = done.err.splitlines()
    return done.status, line.removeprefix("flowlet: ")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ('with DAG("x" as dag:\n', "{file}:2: SyntaxError: invalid syntax"),
        ("x = 1\n", "{file}:1: NoDag: describes no DAG: build one with `with DAG(...):`, or call the function under @dag"),
        ('def settings():\n    raise RuntimeError("no\\nway")\nsettings()\n', "{file}:3: RuntimeError: no way"),
        ("import no_such_module_anywhere\n", "{file}:2: ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("sys.exit(3)\n", "{file}:2: SystemExit: the file ends the process (exit status 3) while it is loaded"),
        (
            'with DAG("x"):\n    a = EmptyOperator(task_id="a")\n    EmptyOperator(task_id="b") >> a >> a.upstream_list[0]\n',
            "{file}:2: DagCycle: the tasks of DAG 'x' form a circle: a >> b >> a ({file}:2)",
        ),
    ],
    ids=["syntax", "no DAG", "raises", "import", "exit", "cycle"],
)
def test_a_file_that_is_wrong(source: str, told: str, write: Any, flowlet: Any, folder: Path) -> None:
    file = write("bad.py", source)
    assert refused(flowlet("run", "bad.py")) == (2, told.format(file=file))
    assert list(folder.glob("flowlet.db*")) == []


def test_a_file_that_is_missing_or_no_file(flowlet: Any, folder: Path) -> None:
    assert refused(flowlet("run", "nix.py")) == (2, f"{folder}/nix.py:1: Unreadable: nix.py does not exist")
    (folder / "dags").mkdir()
    assert refused(flowlet("run", "dags"))[1].endswith("dags is a folder, not a file: name a Python file")


def test_a_file_with_two_dags(write: Any, flowlet: Any) -> None:
    write("two.py", GOOD + 'with DAG("goods"): EmptyOperator(task_id="t")\n')
    assert refused(flowlet("run", "two.py")) == (2, "two.py has 2 DAGs: name one of good, goods")
    assert refused(flowlet("run", "two.py", "god")) == (2, "no DAG 'god' (did you mean 'good'?) in two.py")


def test_an_id_that_is_described_twice_is_warned_of_and_the_later_one_runs(write: Any, flowlet: Any) -> None:
    file = write("twice.py", GOOD + 'with DAG("good"): EmptyOperator(task_id="other")\n')
    done = flowlet("run", "twice.py", "--json")
    assert done.json["tasks"] == {"other": "success"}
    assert done.err == (
        f"flowlet: warning: {file}:3: UserWarning: the DAG id 'good' is taken by line 2 of this file:"
        " the later DAG is used\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--conf", '{"day": 2026'], "--conf is not JSON: Expecting ',' delimiter at line 1, column 13: {\"day\": 2026 >here> "),
        (["--conf", "[1]"], '--conf must be a JSON object such as {"day": "2026-01-31"}, not [1]'),
        (["--conf", '{"x": NaN}'], "--conf is not JSON: NaN is no JSON value"),
        (["--conf", "@nix.json"], "--conf @nix.json: No such file or directory"),
        (["--logical-date", "31.1.2026"], "--logical-date '31.1.2026' is no ISO 8601 date such as 2026-01-31 or 2026-01-31T06:00+01:00"),
        (["--run-id", "scheduled__2026-01-01"], "run_id 'scheduled__2026-01-01'"),
        (["--executor", "CeleryExecutor"], "executor='CeleryExecutor': must be one of LocalExecutor, SequentialExecutor, or an Executor"),
        (["--parallelism", "0"], "argument --parallelism: '0' must be a whole number, at least 1 (see flowlet run --help)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_is_wrong(words: list[str], told: str, write: Any, flowlet: Any) -> None:
    write("good.py", GOOD)
    status, line = refused(flowlet("run", "good.py", *words))
    assert status == 2
    assert told.strip() in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("rnu", "there is no command 'rnu': did you mean 'run'? (see flowlet --help)"),
        ("list", f"there is no command 'list': did you mean {' or '.join(map(repr, LISTS))}? (see flowlet --help)"),
        ("logs etl", "there is no command 'logs': did you mean 'tasks logs'? (see flowlet --help)"),
        ("dags puase etl", "there is no command 'puase': did you mean 'pause'? (see flowlet dags --help)"),
        ("db xyzzy", "there is no command 'xyzzy': there are check, backup, prune (see flowlet db --help)"),
        ("run", "the following arguments are required: FILE (see flowlet run --help)"),
        ("run a.py --nope", "unrecognized arguments: --nope (see flowlet --help)"),
    ],
)
def test_words_that_are_wrong(words: str, told: str, flowlet: Any) -> None:
    assert refused(flowlet(*words.split())) == (2, told)


def test_without_words_the_help_is_shown(flowlet: Any) -> None:
    done = flowlet()
    assert (done.status, done.out) == (2, "")
    assert "commands:" in done.err


@pytest.mark.parametrize("words", ["dags list", "dags show x", "runs list", "tasks why x y", "pools list", "next x", "db check", "trigger x", "dags pause x"])
def test_a_database_that_is_not_there_is_not_made(words: str, flowlet: Any, folder: Path) -> None:
    assert refused(flowlet(*words.split())) == (
        4, "there is no database flowlet.db: run a DAG first, or name another file (--db, FLOWLET__CORE__DB)",
    )
    assert list(folder.iterdir()) == []


def test_a_database_that_is_none(write: Any, flowlet: Any, folder: Path) -> None:
    write("good.py", GOOD)
    (folder / "notes.txt").write_text("remember the milk\n" * 100)
    for words in (["run", "good.py"], ["runs", "list"], ["dags", "pause", "good"]):
        status, line = refused(flowlet(*words, "--db", "notes.txt"))
        assert status == 4 and "notes.txt" in line
    assert (folder / "notes.txt").read_text().startswith("remember the milk")
    assert refused(flowlet("run", "good.py", "--db", "nix/x.db")) == (
        4, f"{folder}/nix is not a folder: make it first, or give another path (--db)",
    )
    assert refused(flowlet("runs", "list", "--db", ":memory:"))[0] == 2


@pytest.mark.parametrize("words", ["run lost.py", "run lost.py --json", "daemon lost.py"])
def test_a_database_that_is_deleted_while_it_is_used_is_told_as_that(words: str, write: Any, start: Any) -> None:
    write("lost.py", """
with DAG("lost", schedule="@once", start_date=datetime(2024, 1, 1)):
    @task(retries=1_000_000, retry_delay=timedelta(0))
    async def remove():
        Path("flowlet.db").unlink(missing_ok=True)
        raise OSError("again: each try is a transaction, until the loss is noticed")
    remove()
""")
    done = start(*words.split()).end()
    assert done.status == 4
    told = done.err.splitlines()[-1]
    assert "flowlet.db was deleted or renamed while this process had it open" in told
    assert told.startswith("flowlet: /")


def test_a_thing_that_is_not_there_names_the_nearest(write: Any, flowlet: Any) -> None:
    write("good.py", GOOD)
    assert flowlet("run", "good.py", "--run-id", "january").status == 0
    for words, told in {
        "dags show godo": "no DAG 'godo' (did you mean 'good'?) in this database",
        "runs show good february": "DAG 'good' has no run 'february': `flowlet runs list good` lists them",
        "tasks why good r": "the run 'january' of DAG 'good' has no task 'r'",
        "pools delete db": "there is no pool 'db'; `flowlet pools list` names them",
        "tasks logs good t --try 2": "t of run january has not been tried yet",
    }.items():
        status, line = refused(flowlet(*words.split()))
        assert (status, line) == (2, told), words


def test_every_error_is_json_too(write: Any, flowlet: Any) -> None:
    file = write("bad.py", "x = \n")
    write("good.py", GOOD)
    flowlet("run", "good.py")
    for words, expected in {
        "run bad.py": {"kind": "SyntaxError", "exit_status": 2, "file": str(file), "line": 2},
        "run": {"kind": "UsageError", "exit_status": 2},
        "rnu": {"kind": "UsageError", "exit_status": 2},
        "dags show nix": {"kind": "DagNotFound", "exit_status": 2},
        "runs show good nix": {"kind": "RunNotFound", "exit_status": 2},
        "tasks why good nix": {"kind": "TaskNotFound", "exit_status": 2},
        "pools delete nix": {"kind": "PoolNotFound", "exit_status": 2},
        "trigger nix": {"kind": "DagNotFound", "exit_status": 2},
        "runs list --db nix.db": {"kind": "StoreUnfit", "exit_status": 4},
        "daemon bad.py": {"kind": "UsageError", "exit_status": 2},
    }.items():
        done = flowlet(*words.split(), "--json")
        error = json.loads(done.out.splitlines()[-1])["error"]
        assert {name: error[name] for name in expected} == expected, words
        assert done.status == error["exit_status"]
        assert done.err.splitlines()[-1] == f"flowlet: {error['text']}"


def test_a_bug_is_called_one(flowlet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise KeyError("x")

    monkeypatch.setattr("flowlet.cli.doctor.doctor", broken)
    done = flowlet("doctor")
    assert (done.status, done.err) == (70, "flowlet: a bug in flowlet: KeyError: 'x' (FLOWLET_DEBUG=1 shows where)\n")
    monkeypatch.setenv("FLOWLET_DEBUG", "1")
    with pytest.raises(KeyError):
        flowlet("doctor")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", [("runs", "list"), ("run", "good.py"), ("run", "good.py", "--json")], ids=" ".join)
def test_a_result_that_cannot_be_written_is_no_success(words: tuple[str, ...], write: Any, flowlet: Any, start: Any) -> None:
    write("good.py", GOOD)
    flowlet("run", "good.py")
    done = start(*PYTHON, *words, command=["sh", "-c", 'exec "$@" >/dev/full', "sh"]).end()
    assert done.status == 74
    assert done.err == "flowlet: standard output cannot be written: No space left on device\n"


def test_a_closed_standard_output_harms_no_run(write: Any, flowlet: Any, start: Any) -> None:
    write("good.py", GOOD)
    done = start(*PYTHON, "run", "good.py", command=["sh", "-c", 'exec "$@" >&-', "sh"]).end()
    assert (done.status, done.err) == (0, "")
    assert flowlet("runs", "list", "--json").json[0]["state"] == "success"


def test_of_several_things_that_are_wrong_with_a_file_each_has_a_line(write: Any, flowlet: Any) -> None:
    text = "".join(f'with DAG("{name}"): a = EmptyOperator(task_id="a"); a >> EmptyOperator(task_id="b") >> a\n' for name in "xy")
    file = write("bad.py", text)
    done = flowlet("run", "bad.py", "--json")
    cycle = "the tasks of DAG {!r} form a circle: a >> b >> a ({}:{})"
    assert (done.status, done.err.splitlines()) == (
        2, [f"flowlet: {file}:{line}: DagCycle: {cycle.format(name, file, line)}" for name, line in (("x", 2), ("y", 3))],
    )  # fmt: skip
    error = done.json["error"]
    assert (error["kind"], error["file"], error["line"], error["exit_status"]) == ("DagCycle", str(file), 2, 2)
    assert error["errors"] == [
        {"file": str(file), "line": line, "kind": "DagCycle", "text": cycle.format(name, file, line)} for name, line in (("x", 2), ("y", 3))
    ]
