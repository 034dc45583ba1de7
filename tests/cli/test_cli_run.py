"""`flowlet run FILE`: what a user sees of one run, and what its exit status says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Waits for seconds in real time; tests/examples runs it on a virtual clock.
SLOW = {EXAMPLES / "retries.py"}

TWO_STEPS = """
with DAG("etl"):
    @task
    def extract(params): print("3 rows"); return [1, 2, 3]
    @task
    def load(rows): print("loaded", file=sys.stderr); return sum(rows)
    load(extract())
"""

BROKEN = """
with DAG("broken"):
    @task
    def extract(): print("reading"); raise ValueError("bad row 17")
    @task
    def load(rows): return rows
    load(extract())
"""


def without_times(text: str) -> str:
    """Durations and run ids differ from run to run."""
    text = re.sub(r"\d+\.\d{3} s", "0.000 s", text)
    return re.sub(r"manual__[0-9T:.+-]+", "RUN", text)


def test_a_run_that_succeeds_is_told_line_by_line(write: Any, flowlet: Any) -> None:
    write("etl.py", TWO_STEPS)
    done = flowlet("run", "etl.py")
    assert (done.status, done.err) == (0, "")
    assert without_times(done.out) == (
        "etl: run RUN in flowlet.db\n"
        "extract | 3 rows\n"
        "extract  success           0.000 s\n"
        "load    | loaded\n"
        "load     success           0.000 s\n"
        "etl: success in 0.000 s (2 success)\n"
    )


def test_a_run_that_fails_says_why_and_where_the_log_is(write: Any, flowlet: Any, folder: Path) -> None:
    write("broken.py", BROKEN)
    done = flowlet("run", "broken.py")
    assert done.status == 1
    told = done.out.splitlines()
    assert "extract | ValueError: bad row 17" in told  # the end of the traceback
    assert re.match(r"extract  failed +[0-9.]+ s  ValueError: bad row 17$", told[-5])
    assert told[-4] == "load     upstream_failed"
    assert told[-3].startswith("broken: failed in ") and told[-3].endswith("(1 failed, 1 upstream_failed)")
    assert told[-2] == "  extract (try 1): ValueError: bad row 17"
    log = Path(told[-1].removeprefix("    log: "))
    assert "INFO stdout - reading" in log.read_text()


def test_quiet_leaves_out_what_the_tasks_print(write: Any, flowlet: Any) -> None:
    write("etl.py", TWO_STEPS)
    assert " | " not in flowlet("run", "etl.py", "--quiet").out


def test_what_tasks_print_is_shown_in_memory_too(write: Any, flowlet: Any, folder: Path) -> None:
    write("etl.py", TWO_STEPS)
    assert "extract | 3 rows" in flowlet("run", "etl.py", "--db", ":memory:").out
    assert [path.name for path in folder.iterdir()] == ["etl.py"]


def test_a_record_keeps_its_level_and_what_would_move_the_cursor_is_left_out(write: Any, flowlet: Any) -> None:
    write("loud.py", """
with DAG("loud"):
    @task
    def warn(ti):
        import logging
        ti.log.info("as it is")
        ti.log.warning("careful")
        logging.getLogger("shop").error("first\\nsecond")
        print("\\x1b[2J\\x1b[31mred\\x1b[0m\\a")
    warn()
""")
    prints = [line for line in flowlet("run", "loud.py").out.splitlines() if " | " in line]
    assert prints == [
        "warn | as it is",
        "warn | WARNING: careful",
        "warn | ERROR shop: first",
        "warn | second",
        "warn | [2J\x1b[31mred\x1b[0m",
    ]


def test_each_try_is_shown_with_what_it_printed(write: Any, flowlet: Any) -> None:
    write("again.py", """
with DAG("again"):
    @task(retries=1, retry_delay=timedelta(0))
    def flaky(ti):
        print("try", ti.try_number)
        if ti.try_number == 1: raise OSError("refused")
    flaky()
""")
    told = flowlet("run", "again.py").out.splitlines()
    assert [line for line in told if line.startswith("flaky | try")] == ["flaky | try 1", "flaky | try 2"]
    ends = [re.sub(r" +[0-9.]+ s", "", line) for line in told if line.startswith("flaky  ")]
    assert ends == ["flaky  up_for_retry  try 1  OSError: refused", "flaky  success  try 2"]


def test_a_run_in_which_nothing_runs_says_what_it_waits_for(write: Any, start: Any, flowlet: Any) -> None:
    write("shop.py", """
with DAG("shop"):
    @task(pool="till")
    def sell(): return 1
    sell()
""")
    process = start("run", "shop.py")
    assert "unknown_pool: DAG 'shop': pool 'till' does not exist" in process.line_with("unknown_pool")
    assert process.line_with("sell").startswith("sell  waiting for a slot: pool 'till'")
    assert flowlet("pools", "set", "till", "1").out == "pool till has 1 slot\n"
    assert process.line_with("sell").startswith("sell  success")
    assert process.end().status == 0


def test_json_is_one_document_whatever_the_tasks_print(write: Any, flowlet: Any) -> None:
    write("etl.py", TWO_STEPS + "print('a file may print while it is loaded')\n")
    done = flowlet("run", "etl.py", "--json", "--conf", '{"day": "2026-01-31"}', "--logical-date", "2026-01-31T06:00+01:00")
    assert done.status == 0
    shape = done.json
    assert shape["state"] == "success" and shape["tasks"] == {"extract": "success", "load": "success"}
    assert shape["conf"] == {"day": "2026-01-31"}
    assert shape["logical_date"] == "2026-01-31T05:00:00.000000Z"
    assert shape["xcoms"] == {"extract:return_value": [1, 2, 3], "load:return_value": 6}


def test_json_of_a_failed_run_comes_with_status_1(write: Any, flowlet: Any) -> None:
    write("broken.py", BROKEN)
    done = flowlet("run", "broken.py", "--json")
    assert done.status == 1
    assert done.json["reasons"] == {"extract": "ValueError: bad row 17"}
    assert done.json["errors"] == {"extract": ["ValueError"]}


def test_the_conf_may_be_a_file_and_the_date_none(write: Any, flowlet: Any, folder: Path) -> None:
    write("etl.py", TWO_STEPS)
    (folder / "conf.json").write_text('{"day": "Zürich"}', encoding="utf-8")
    shape = flowlet("run", "etl.py", "--json", "--conf", "@conf.json", "--logical-date", "none").json
    assert (shape["conf"], shape["logical_date"]) == ({"day": "Zürich"}, None)


def test_a_date_without_a_zone_is_in_the_default_timezone(write: Any, flowlet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write("etl.py", TWO_STEPS)
    monkeypatch.setenv("FLOWLET__CORE__DEFAULT_TIMEZONE", "Europe/Zurich")
    shape = flowlet("run", "etl.py", "--json", "--logical-date", "2026-07-01").json
    assert shape["logical_date"] == "2026-06-30T22:00:00.000000Z"


def test_a_dag_without_tasks_succeeds(write: Any, flowlet: Any) -> None:
    write("empty.py", 'dag = DAG("empty")\n')
    done = flowlet("run", "empty.py")
    assert (done.status, done.out.splitlines()[-1].rpartition(" (")[2]) == (0, "no tasks)")


def test_one_of_two_dags_is_named(write: Any, flowlet: Any) -> None:
    write("two.py", 'with DAG("one"): EmptyOperator(task_id="t")\nwith DAG("two"): EmptyOperator(task_id="t")\n')
    assert flowlet("run", "two.py", "two").out.startswith("two: run ")


def test_a_run_id_given_twice_is_the_same_run(write: Any, flowlet: Any, folder: Path) -> None:
    write("once.py", """
with DAG("once"):
    @task
    def count():
        with open("count", "a") as file: file.write("x")
    count()
""")
    for _ in range(2):
        assert flowlet("run", "once.py", "--run-id", "january").status == 0
    assert (folder / "count").read_text() == "x"


def test_a_file_finds_the_modules_beside_it(write: Any, flowlet: Any, folder: Path) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "beside_the_cli_test.py").write_text("ANSWER = 42\n")
    write("jobs/etl.py", """
from beside_the_cli_test import ANSWER
with DAG("etl"):
    @task
    def answer(): return ANSWER
    answer()
""")
    assert flowlet("run", "jobs/etl.py", "--json").json["xcoms"] == {"answer:return_value": 42}


@pytest.mark.parametrize(
    ("variable", "value", "option"),
    [("FLOWLET__CORE__DB", "other.db", ()), ("FLOWLET__CORE__DB", "not-this.db", ("--db", "other.db"))],
)
def test_the_database_is_that_of_the_option_else_of_the_environment(
    write: Any, flowlet: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, option: tuple[str, ...]
) -> None:
    write("etl.py", TWO_STEPS)
    monkeypatch.setenv(variable, value)
    flowlet("run", "etl.py", *option)
    assert sorted(path.name for path in folder.glob("*.db")) == ["other.db"]


def test_the_report_of_the_etl_is_what_the_user_sees(flowlet: Any) -> None:
    done = flowlet("run", str(EXAMPLES / "weather.py"))
    told = done.out.splitlines()
    assert "report    |     7   12.8   18.3   24.4" in told
    assert "report    | 12 months loaded, 0 rows rejected" in told
    assert done.status == 0


@pytest.mark.parametrize("file", sorted(set(EXAMPLES.glob("*.py")) - SLOW), ids=lambda file: file.stem)
def test_every_example_runs_from_the_command_line(file: Path, flowlet: Any) -> None:
    done = flowlet("run", str(file), "--json", "--db", ":memory:")
    assert done.status == 0, done.err
    assert json.loads(done.out)["state"] == "success"


def test_nothing_of_the_process_is_left_changed(write: Any, flowlet: Any) -> None:
    import logging
    import signal
    import sys

    def ours() -> list[Callable[..., Any] | Any]:
        return [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP), sys.stdout, sys.stderr, logging.getLogRecordFactory()]

    before = ours()
    write("etl.py", TWO_STEPS)
    assert flowlet("run", "etl.py").status == 0
    assert ours() == before
