"""`flowlet backfill`, with an owner of the file and without one."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import flowlet
from flowlet import Engine

from .process import Process, until

WORK = """
with DAG("daily", schedule="@daily"):
    @task
    async def wait():
        import anyio
        while not Path("open").exists(): await anyio.sleep(0.01)
    wait()
with DAG("never", schedule=None):
    EmptyOperator(task_id="t")
class Odd(Timetable):
    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        from flowlet import DagRunInfo
        last = last_automated_data_interval
        start = restriction.earliest if last is None else last.start + timedelta(days=2)
        return None if start is None or restriction.latest is not None and start > restriction.latest else DagRunInfo.exact(start)
    def infer_manual_data_interval(self, *, run_after):
        from flowlet import DataInterval
        return DataInterval.exact(run_after)
with DAG("odd", schedule=Odd()):
    EmptyOperator(task_id="t")
"""
WINDOW = ("--from-date", "2021-02-01", "--to-date", "2021-02-03")


@pytest.fixture
def owner(write: Any, start: Any) -> Process:
    """A daemon that has opened its file."""
    write("work.py", WORK)
    daemon: Process = start("daemon", "work.py", "--json")
    daemon.line_with('"event":"started"')
    return daemon


@pytest.fixture
def left(write: Any, folder: Path) -> None:
    """The file after its owner has gone."""

    async def live() -> None:
        async with Engine(folder / "flowlet.db", dags=flowlet.load(write("work.py", WORK)).values(), control=False, durability="process"):
            pass

    asyncio.run(live())


def count(folder: Path, sql: str) -> Any:
    with sqlite3.connect(f"file:{folder / 'flowlet.db'}?mode=ro", uri=True) as db:
        found = db.execute(sql).fetchone()
    db.close()
    return found[0]


def ended(folder: Path) -> bool:
    return bool(count(folder, "SELECT count(*) FROM backfills WHERE state = 'completed'") == 1)


@pytest.mark.usefixtures("owner")
def test_an_owner_makes_the_runs_and_its_backfill_can_be_seen_paused_and_cancelled(flowlet: Any, folder: Path) -> None:
    made = flowlet("backfill", "create", "--dag-id", "daily", *WINDOW, "--max-active-runs", "1", "--dag-run-conf", '{"my": "param"}')
    assert made.out == "backfill 1 of daily (2021-02-01T00:00:00 to 2021-02-03T00:00:00) is running: 3 to come\n"
    until(lambda: count(folder, "SELECT count(*) FROM tasks WHERE run_id LIKE 'backfill%' AND state = 'running'") == 1, "it begins")
    assert json.loads(flowlet("runs", "show", "daily", "backfill__2021-02-01T00:00:00+00:00", "--json").out)["conf"] == {"my": "param"}
    twice = flowlet("backfill", "create", "daily", *WINDOW)
    assert (twice.status, "wait for its end, or `flowlet backfill cancel 1`" in twice.err) == (2, True)
    paused = flowlet("backfill", "pause", "1")
    assert paused.out.endswith("is paused: 1 running, 2 to come\n")
    assert paused.err == "flowlet: it does not go on now: it is paused: `flowlet backfill unpause 1`\n"
    assert flowlet("backfill", "unpause", "1").out.endswith("is running: 1 running, 2 to come\n")
    (listed,) = json.loads(flowlet("backfill", "list", "daily", "--json").out)
    assert (listed["state"], listed["counts"]) == ("running", {"running": 1, "to come": 2})
    assert flowlet("backfill", "list", "never").out == ""
    cancelled = json.loads(flowlet("backfill", "cancel", "1", "--json").out)
    assert [date["reason"] for date in cancelled["dates"]] == [None, *["the backfill was cancelled"] * 2]
    assert flowlet("backfill", "cancel", "1").status == 2


@pytest.mark.usefixtures("owner")
def test_a_schedule_of_the_users_own_is_filled_by_the_owner_who_has_its_code(flowlet: Any, folder: Path) -> None:
    dry = flowlet("backfill", "create", "odd", *WINDOW, "--dry-run")
    assert [line.split() for line in dry.out.splitlines()[2:]] == [
        [f"2021-02-0{day}T00:00:00.000000Z", f"backfill__2021-02-0{day}T00:00:00+00:00", "run"] for day in (1, 3)
    ]
    assert flowlet("backfill", "create", "odd", *WINDOW).status == 0
    until(lambda: ended(folder), "it ends")
    assert flowlet("backfill", "show", "1").out.splitlines()[0].endswith("is completed: 2 success")


@pytest.mark.usefixtures("left")
def test_without_an_owner_it_is_on_file_and_the_next_daemon_goes_on_with_it(flowlet: Any, folder: Path, start: Any) -> None:
    made = flowlet("backfill", "create", "daily", *WINDOW, "--run-backwards")
    assert (made.status, made.out.endswith("is running: 3 to come\n")) == (0, True)
    assert "does not go on now: no scheduler runs on flowlet.db" in flowlet("backfill", "show", "1").err
    assert flowlet("dags", "pause", "daily").status == 0
    assert "does not go on now: the DAG 'daily' is paused: `flowlet dags unpause daily`" in flowlet("backfill", "show", "1").err
    assert flowlet("dags", "unpause", "daily").status == 0
    assert "no scheduler runs on flowlet.db: `flowlet daemon FILE --db flowlet.db` will go on with it" in made.err
    (folder / "open").touch()
    daemon = start("daemon", "work.py", "--json")
    until(lambda: ended(folder), "it ends")
    daemon.signal(signal.SIGTERM)
    daemon.end()
    shown = flowlet("backfill", "show", "1").out.splitlines()
    assert shown[0].endswith("is completed: 3 success")
    assert [line.split()[1] for line in shown[2:]] == [f"backfill__2021-02-0{day}T00:00:00+00:00" for day in (3, 2, 1)]


@pytest.mark.usefixtures("left")
def test_a_dry_run_without_an_owner_reads_and_does_not_even_own_the_file(flowlet: Any, folder: Path) -> None:
    before = (folder / "flowlet.db").read_bytes()
    shape = json.loads(flowlet("backfill", "create", "daily", *WINDOW, "--dry-run", "--json").out)
    assert (shape["id"], shape["state"], [date["state"] for date in shape["dates"]]) == (None, "dry run", ["run"] * 3)
    assert (folder / "flowlet.db").read_bytes() == before


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("odd", *WINDOW), "only the process that has loaded the DAG's file can say when it is due"),
        (("never", *WINDOW), "DAG 'never' has a schedule without dates to fill"),
        (("missing", *WINDOW), "missing"),
        (WINDOW, "name the DAG once"),
        (("daily", "--dag-id", "daily", *WINDOW), "name the DAG once"),
        (("daily", "--from-date", "2021-02-03", "--to-date", "2021-02-01"), "is after to_date"),
        (("daily", "--from-date", "soon", "--to-date", "2021-02-01"), "--from-date 'soon' is no ISO 8601 date"),
        (("daily", "--from-date", "none", "--to-date", "2021-02-01"), "--from-date 'none' is no ISO 8601 date"),
        (("daily", *WINDOW, "--dag-run-conf", "[1]"), "--dag-run-conf must be a JSON object"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(flowlet: Any, folder: Path, words: Any, sentence: str, dry: Any) -> None:
    done = flowlet("backfill", "create", *words, *dry)
    assert (done.status, sentence in done.err) == (2, True), done.err
    assert count(folder, "SELECT count(*) FROM backfills") == 0


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("verb", ["show", "pause", "unpause", "cancel"])
def test_a_backfill_that_there_is_not_is_named(flowlet: Any, verb: str) -> None:
    done = flowlet("backfill", verb, "7")
    assert (done.status, done.err) == (2, "flowlet: there is no backfill 7; `flowlet backfill list` shows those that there are\n")
