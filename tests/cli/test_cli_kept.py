"""Variables and connections on the command line: with an owner or without one, masked in lists, whole in files."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowlet.worker.connections import Connection

from .process import Done, Process

Flowlet = Callable[..., Done]
READS = '''
from flowlet import Connection, Variable
with DAG("reads"):
    @task
    def both():
        return [Variable.get("day", None), Connection.get("db").login]
    both()
'''


def variables(flowlet: Flowlet) -> dict[str, str]:
    return {row["key"]: row["value"] for row in flowlet("variables", "list", "--json").json}


def connections(flowlet: Flowlet) -> dict[str, Any]:
    return {row.pop("conn_id"): row for row in flowlet("connections", "list", "--json").json}


# -- variables -------------------------------------------------------------------------------------------


def test_a_variable_is_set_got_listed_and_deleted(flowlet: Flowlet, folder: Path) -> None:
    assert flowlet("variables", "set", "day", "monday", "--description", "when").out == "variable day is set\n"
    assert (folder / "flowlet.db").exists()
    assert flowlet("variables", "get", "day").out == "monday\n"
    assert flowlet("variables", "get", "day", "--json").json == {"key": "day", "value": "monday"}
    assert flowlet("variables", "list").out.split() == ["KEY", "VALUE", "DESCRIPTION", "day", "monday", "when"]
    assert flowlet("variables", "delete", "day").out == "variable day is deleted\n"
    assert flowlet("variables", "list").err == "no variables\n"


def test_a_variable_that_is_not_there(flowlet: Flowlet) -> None:
    done = flowlet("variables", "get", "day", "--json")
    assert (done.status, done.json["error"]["kind"]) == (2, "VariableNotFound")
    assert done.err == (
        "flowlet: variable 'day' is not set: neither FLOWLET_VAR_DAY nor AIRFLOW_VAR_DAY in the environment, nor in the database\n"
    )
    assert flowlet("variables", "get", "day", "-d", "friday").out == "friday\n"
    flowlet("variables", "set", "other", "1")
    done = flowlet("variables", "delete", "day")
    assert (done.status, done.err) == (2, "flowlet: there is no variable 'day' in the database: `flowlet variables list` names them\n")


@pytest.mark.parametrize("prefix", ["FLOWLET", "AIRFLOW"])
def test_the_environment_comes_first_and_is_not_listed(flowlet: Flowlet, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    flowlet("variables", "set", "day", "monday")
    monkeypatch.setenv(f"{prefix}_VAR_DAY", "sunday")
    assert flowlet("variables", "get", "day").out == "sunday\n"
    assert variables(flowlet) == {"day": "monday"}


def test_lists_show_no_secret_and_get_shows_what_is_asked_for(flowlet: Flowlet) -> None:
    flowlet("variables", "set", "api_key", "abc")
    flowlet("variables", "set", "config", '{"user": "me", "password": "abc", "more": [{"token": "x"}]}')
    assert variables(flowlet) == {"api_key": "***", "config": '{"user": "me", "password": "***", "more": [{"token": "***"}]}'}
    assert flowlet("variables", "get", "api_key").out == "abc\n"
    assert "abc" not in flowlet("variables", "list").out


def test_a_value_may_come_over_standard_input(flowlet: Flowlet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("line one\nline two\n"))
    flowlet("variables", "set", "text", "-")
    assert variables(flowlet) == {"text": "line one\nline two"}


def test_variables_go_out_and_come_back_the_same(flowlet: Flowlet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"a": "1", "b": '{"x": [1, "ü"]}', "c": "two\nlines", "secret": "s"}.items():
        flowlet("variables", "set", key, value, "--description", "why" if key == "c" else "")
    done = flowlet("variables", "export", "v.json", "--json")
    assert (done.json, (folder / "v.json").stat().st_mode & 0o777) == ({"file": "v.json", "variables": 4}, 0o600)
    assert json.loads((folder / "v.json").read_text()) == {
        "a": "1", "b": {"x": [1, "ü"]}, "c": {"value": "two\nlines", "description": "why"}, "secret": "s",
    }  # fmt: skip
    before = sqlite3.connect(folder / "flowlet.db").execute("SELECT * FROM secret").fetchall()
    monkeypatch.setenv("FLOWLET__CORE__DB", "other.db")
    assert flowlet("variables", "import", "v.json").out == "4 variables set\n"
    again = sqlite3.connect(folder / "other.db").execute("SELECT * FROM secret").fetchall()
    assert [(key, value if key != "b" else json.loads(value), about) for _, key, value, about in again] == [
        (key, value if key != "b" else json.loads(value), about) for _, key, value, about in before
    ]
    assert json.loads(flowlet("variables", "export", "-").out) == json.loads((folder / "v.json").read_text())


def test_what_is_there_already_is_overwritten_left_or_refused(flowlet: Flowlet, folder: Path) -> None:
    (folder / "v.json").write_text('{"a": 2, "b": [3]}')
    flowlet("variables", "set", "a", "1")
    assert flowlet("variables", "import", "v.json", "-a", "fail").err == (
        "flowlet: these are set already, and nothing was imported: a\n"
    )
    assert variables(flowlet) == {"a": "1"}
    assert flowlet("variables", "import", "v.json", "-a", "skip").out == "1 variable set, 1 skipped\n"
    assert variables(flowlet) == {"a": "1", "b": "[3]"}
    assert flowlet("variables", "import", "v.json", "--json").json == {"set": ["a", "b"], "skipped": []}
    assert variables(flowlet) == {"a": "2", "b": "[3]"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("v.json", "[1]", "v.json must hold a JSON object, by name"),
        ("v.json", "{", "v.json is not JSON: "),
        ("v.env", "a=1\nnonsense\n", "v.env:2: a line is NAME=VALUE"),
        ("nix.json", None, "nix.json: No such file or directory"),
    ],
)
def test_a_file_that_is_wrong(flowlet: Flowlet, folder: Path, name: str, text: str | None, says: str) -> None:
    if text is not None:
        (folder / name).write_text(text)
    done = flowlet("variables", "import", name)
    assert (done.status, done.err.startswith(f"flowlet: {says}")) == (2, True)
    assert not (folder / "flowlet.db").exists()


def test_env_files(flowlet: Flowlet, folder: Path) -> None:
    (folder / "v.env").write_text("# mine\na=1\n\nb = x=y \n")
    flowlet("variables", "import", "v.env")
    assert variables(flowlet) == {"a": "1", "b": "x=y"}
    flowlet("variables", "export", "w.env")
    assert (folder / "w.env").read_text() == "a=1\nb=x=y\n"
    flowlet("variables", "set", "c", "two\nlines")
    assert flowlet("variables", "export", "w.env").status == 2


# -- connections -----------------------------------------------------------------------------------------


def test_a_connection_is_added_got_listed_and_deleted(flowlet: Flowlet) -> None:
    assert flowlet("connections", "add", "db", "--conn-uri", "postgres://me:secr3t@host:5432/main?api_key=k3y").out == "connection db is set\n"
    flowlet("connections", "add", "api", "--conn-type", "http", "--conn-host", "h", "--conn-password", "pw", "--conn-extra", '{"a": 1}',
            "--conn-description", "theirs")  # fmt: skip
    assert flowlet("connections", "get", "db", "--json").json == {
        "conn_id": "db", "conn_type": "postgres", "description": None, "host": "host", "login": "me", "password": "secr3t",
        "schema": "main", "port": 5432, "extra": {"api_key": "k3y"}, "uri": "postgres://me:secr3t@host:5432/main?api_key=k3y",
    }  # fmt: skip
    listed = connections(flowlet)
    assert (listed["db"]["password"], listed["db"]["extra"]) == ("***", {"api_key": "***"})
    assert (listed["api"]["host"], listed["api"]["extra"], listed["api"]["description"]) == ("h", {"a": 1}, "theirs")
    table = flowlet("connections", "list").out
    assert "secr3t" not in table
    assert table.splitlines()[2].split() == ["db", "postgres", "host", "5432", "main", "me"]
    assert flowlet("connections", "delete", "db").out == "connection db is deleted\n"
    assert list(connections(flowlet)) == ["api"]
    assert flowlet("connections", "get", "db").status == 2


def test_a_connection_of_the_environment_comes_first(flowlet: Flowlet, monkeypatch: pytest.MonkeyPatch) -> None:
    flowlet("connections", "add", "db", "--conn-uri", "postgres://file")
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://environment")
    assert flowlet("connections", "get", "db", "--json").json["host"] == "environment"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give one of --conn-uri, --conn-json, or parts such as --conn-type and --conn-host"),
        (["--conn-uri", "x://", "--conn-host", "h"], "give one of --conn-uri, --conn-json, or parts"),
        (["--conn-json", "x"], "--conn-json must be a JSON object"),
        (["--conn-type", "http", "--conn-port", "x"], "connection 'db': the port must be a number, not 'x'"),
    ],
)
def test_a_connection_that_is_wrong(flowlet: Flowlet, words: list[str], says: str) -> None:
    done = flowlet("connections", "add", "db", *words)
    assert (done.status, done.err.startswith(f"flowlet: {says}")) == (2, True)


def test_a_connection_is_not_replaced_unawares(flowlet: Flowlet) -> None:
    flowlet("connections", "add", "db", "--conn-uri", "postgres://one")
    done = flowlet("connections", "add", "db", "--conn-uri", "postgres://two")
    assert (done.status, done.err) == (2, "flowlet: there is a connection 'db' already: `flowlet connections delete db` first\n")


@pytest.mark.parametrize("suffix", ["json", "env"])
def test_connections_go_out_and_come_back_the_same(flowlet: Flowlet, folder: Path, suffix: str) -> None:
    uris = {"db": "postgres://me:p%40ss@host:5432/db?a=b", "odd": 'http://h/?__extra__=%7B%22n%22%3A+%5B1%2C+2%5D%7D', "bare": "fs://"}
    for conn_id, uri in uris.items():
        flowlet("connections", "add", conn_id, "--conn-uri", uri)
    flowlet("connections", "export", f"c.{suffix}")
    assert flowlet("connections", "import", f"c.{suffix}", "--db", "other.db").out == "3 connections set\n"
    for conn_id, uri in uris.items():
        again = flowlet("connections", "get", conn_id, "--db", "other.db", "--json").json
        assert Connection(conn_id, again["uri"]) == Connection(conn_id, uri)
    assert flowlet("connections", "import", f"c.{suffix}", "--json").json == {"set": [], "skipped": ["bare", "db", "odd"]}
    assert flowlet("connections", "import", f"c.{suffix}", "--overwrite").out == "3 connections set\n"


def test_a_file_with_uris_and_with_parts_as_airflow_writes_them(flowlet: Flowlet, folder: Path) -> None:
    (folder / "c.json").write_text(json.dumps({
        "one": "http://me@host",
        "two": {"conn_type": "http", "host": "h", "login": None, "port": 80, "extra": "{\"a\": 1}", "description": "d"},
    }))  # fmt: skip
    flowlet("connections", "import", "c.json")
    listed = connections(flowlet)
    assert (listed["one"]["login"], listed["two"]["port"], listed["two"]["extra"], listed["two"]["description"]) == ("me", 80, {"a": 1}, "d")
    (folder / "c.json").write_text('{"one": 1}')
    assert flowlet("connections", "import", "c.json").status == 2


# -- an owner --------------------------------------------------------------------------------------------


def test_an_owner_takes_them_and_its_tasks_see_them(write: Any, flowlet: Flowlet, start: Callable[..., Process], folder: Path) -> None:
    write("reads.py", READS)
    daemon = start("daemon", "reads.py", "--json")
    daemon.line_with('"started"')
    values = {"day": "tuesday", **{f"long{number}": f"{number}" * 300_000 for number in range(5)}}  # more than one request holds
    (folder / "v.json").write_text(json.dumps(values))
    assert flowlet("variables", "import", "v.json").status == 0
    assert flowlet("variables", "set", "day", "wednesday").status == 0
    assert flowlet("connections", "add", "db", "--conn-uri", "x://me:secr3t@h").status == 0
    assert flowlet("trigger", "reads", "--run-id", "r").status == 0
    daemon.line_with('"run_ended"')
    with sqlite3.connect(folder / "flowlet.db") as db:
        assert db.execute("SELECT value FROM xcoms").fetchall() == [('["wednesday","me"]',)]
    db.close()
    assert variables(flowlet) == {**values, "day": "wednesday"}
    assert flowlet("connections", "delete", "db").status == 0
    assert connections(flowlet) == {}
