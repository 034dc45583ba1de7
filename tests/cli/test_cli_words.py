"""The help teaches: each command says what it is for, shows lines that can be typed, and names its JSON."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from flowlet.cli.commands import COMMANDS, Command
from flowlet.cli.parser import parse

from .process import ROOT

EACH = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)


def test_the_first_help_names_every_command_and_every_exit_status(flowlet: Any) -> None:
    done = flowlet("--help")
    assert (done.status, done.err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^    {command.words.split()[0]}\s", done.out, re.MULTILINE)
    assert 'With --json an error is JSON on standard output, too: {"error": {"kind", "text", "exit_status", ...}}.' in done.out
    for status in ("0", "1", "2", "3", "4", "70", "74", "130"):
        assert re.search(rf"^  {status} +\S", done.out, re.MULTILINE)


@EACH
def test_a_commands_help_has_lines_to_try_and_its_json(command: Command, flowlet: Any) -> None:
    done = flowlet(*command.words.split(), "--help")
    assert done.status == 0
    assert done.out.startswith(f"usage: flowlet {command.words} ")
    assert command.help in done.out and command.examples
    assert all(f"  {line}\n" in done.out for line in command.examples)
    assert f"with --json: {command.json}" in done.out


@EACH
def test_the_lines_to_try_are_understood(command: Command) -> None:
    for line in command.examples:
        flowlet, *words = shlex.split(line.partition(" | ")[0])
        args = parse(words)
        assert flowlet == "flowlet"
        assert not isinstance(args, int) and args.command == command.target, line


@pytest.mark.parametrize("group", ["dags", "runs", "tasks", "pools", "variables", "connections", "db"])
def test_a_group_of_commands_has_a_help_of_its_own(group: str, flowlet: Any) -> None:
    done = flowlet(group, "--help")
    assert done.status == 0
    assert all(command.help in done.out for command in COMMANDS if command.words.startswith(f"{group} "))
    missing = flowlet(group)
    assert (missing.status, missing.err) == (2, f"flowlet: the following arguments are required: COMMAND (see flowlet {group} --help)\n")


def test_the_version(flowlet: Any) -> None:
    import flowlet as package

    assert re.fullmatch(rf"flowlet {package.__version__} \(Python 3\.\d+\.\d+\S*\)\n", flowlet("--version").out)


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ("--help", {"asyncio", "sqlite3", "rich", "jinja2", "croniter", "json", "flowlet.engine", "flowlet.authoring"}),
        ("runs list", {"asyncio", "rich", "jinja2", "croniter", "flowlet.engine", "aiosqlite"}),
        ("run good.py", {"anyio", "rich", "jinja2", "croniter", "jsonschema", "flowlet.cli.live"}),
        ("dags list", {"asyncio", "rich", "jinja2", "croniter", "flowlet.engine", "aiosqlite"}),
    ],
)
def test_a_command_imports_only_what_it_needs(words: str, heavy: set[str], write: Any, flowlet: Any) -> None:
    write("good.py", 'with DAG("good"): EmptyOperator(task_id="t")\n')
    flowlet("run", "good.py")
    code = f"import sys; from flowlet.cli.main import main; main({words.split()}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True
    )
    assert heavy & set(done.stderr.split()) == set()
