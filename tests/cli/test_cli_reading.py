"""What is on file, as the reading commands show it while no scheduler runs; the shapes of their JSON."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowlet import Engine

SHOP = """
with DAG("shop", start_date=datetime(2026, 1, 1), schedule="0 6 * * *", params={"till": 1}, description="sales of a day", tags=["b", "a"]):
    @task(retries=1, retry_delay=timedelta(0), pool="till")
    def sell(ti):
        print("sold", ti.try_number)
        if ti.try_number == 1: raise OSError("no change")
        return 7
    @task(trigger_rule="all_failed")
    def refund(sold): return sold
    refund(sell())
"""

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def shop(write: Any, flowlet: Any, folder: Path) -> Path:
    """A database with one run of one DAG."""
    file: Path = write("shop.py", SHOP)
    asyncio.run(_make_pool())
    flowlet("run", "shop.py", "--run-id", "first", "--logical-date", "2026-01-31", "--conf", '{"day": "31"}', "--db", "flowlet.db")
    return file


async def _make_pool() -> None:
    async with Engine("flowlet.db", pools={"till": 2}):
        pass


@pytest.fixture
def pool(shop: Path, flowlet: Any) -> None:
    assert flowlet("pools", "set", "till", "2", "--description", "drawers").status == 0


def moments(shape: Any) -> list[str]:
    """All texts of a document that look like a moment."""
    found = re.findall(r'"(\d{4}-\d\d-\d\d[^"]*)"', json.dumps(shape))
    return [text for text in found if text != "2026-01-31"]


def test_the_dags_of_the_database(shop: Path, flowlet: Any) -> None:
    (dag,) = flowlet("dags", "list", "--json").json
    assert MOMENT.fullmatch(dag.pop("next_due"))
    assert dag == {
        "dag_id": "shop", "paused": False, "schedule": "0 6 * * *", "tasks": 2, "last_run": "first",
        "last_state": "success", "file": str(shop),
    }  # fmt: skip
    told = flowlet("dags", "list").out.splitlines()
    assert told[0].split() == ["DAG", "SCHEDULE", "NEXT", "DUE", "TASKS", "LAST", "RUN", "STATE", "FILE"]
    assert told[1].startswith("shop  0 6 * * *  ") and told[1].endswith(f"  2      first     success  {shop}")


def test_one_dag(shop: Path, flowlet: Any) -> None:
    dag = flowlet("dags", "show", "shop", "--json").json
    assert dag["description"] == "sales of a day" and dag["tags"] == ["a", "b"] and dag["catchup"] is False
    assert dag["start_date"] == "2026-01-01T00:00:00.000000Z" and dag["end_date"] is None
    assert dag["file"] == f"{shop}:3"
    assert dag["last_runs"] == [{"run_id": "first", "state": "success"}]
    assert dag["tasks"] == [
        {
            "task_id": "sell", "operator": "@task", "upstream": [], "downstream": ["refund"],
            "trigger_rule": "all_success", "retries": 1, "pool": "till", "priority_weight": 1,
        },
        {
            "task_id": "refund", "operator": "@task", "upstream": ["sell"], "downstream": [],
            "trigger_rule": "all_failed", "retries": 0, "pool": "default_pool", "priority_weight": 1,
        },
    ]  # fmt: skip
    assert dag["params"] == {"till": 1}
    told = flowlet("dags", "show", "shop").out
    assert re.search(r'^params +\{"till": 1\}$', told, re.MULTILINE)
    assert re.search(r"^refund +@task +sell +all_failed +0 +default_pool$", told, re.MULTILINE)


def test_pausing_and_going_on(shop: Path, flowlet: Any) -> None:
    assert flowlet("dags", "pause", "shop").out == "shop is paused\n"
    (dag,) = flowlet("dags", "list", "--json").json
    assert (dag["paused"], dag["next_due"]) == (True, None)
    assert "  paused  " in flowlet("dags", "list").out
    assert flowlet("next", "shop").err == "flowlet: shop is paused: nothing runs until `flowlet dags unpause shop`\n"
    assert flowlet("dags", "unpause", "shop", "--json").json == {"dag_id": "shop", "paused": False}
    assert flowlet("dags", "list", "--json").json[0]["paused"] is False


def test_the_runs(shop: Path, flowlet: Any) -> None:
    (run,) = flowlet("runs", "list", "--json").json
    for name in ("queued_at", "started_at", "ended_at"):
        assert MOMENT.fullmatch(run.pop(name))
    assert run == {
        "dag_id": "shop", "run_id": "first", "run_type": "manual", "state": "success", "reason": None, "waits": None,
        "logical_date": "2026-01-31T00:00:00.000000Z", "data_interval_start": "2026-01-31T00:00:00.000000Z",
        "data_interval_end": "2026-01-31T00:00:00.000000Z", "conf": {"day": "31"},
    }  # fmt: skip
    assert flowlet("runs", "list", "shop", "-n", "1").out.splitlines()[1].split()[:3] == ["shop", "first", "success"]
    assert flowlet("runs", "list", "nix").status == 2


def test_one_run_with_its_attempts(shop: Path, flowlet: Any) -> None:
    run = flowlet("runs", "show", "shop", "--json").json
    assert run == flowlet("runs", "show", "shop", "first", "--json").json
    sell, refund = run["tasks"]
    assert (sell["state"], sell["try_number"], sell["pool"]) == ("success", 2, "till")
    assert (refund["state"], refund["reason"]) == (
        "skipped", "sell succeeded; trigger rule all_failed needs every upstream to fail",
    )  # fmt: skip
    assert [(row["try_number"], row["outcome"], row["error"]) for row in run["attempts"]] == [
        (1, "failed", "OSError"), (2, "succeeded", None),
    ]  # fmt: skip
    told = flowlet("runs", "show", "shop").out
    assert re.search(r"^refund +skipped +sell succeeded; trigger rule all_failed", told, re.MULTILINE)
    assert re.search(r"^sell +1 +failed +\S+Z +OSError: no change$", told, re.MULTILINE)


def test_logs_of_an_attempt(shop: Path, flowlet: Any) -> None:
    assert flowlet("tasks", "logs", "shop", "sell").out.endswith("INFO stdout - sold 2\n")
    first = flowlet("tasks", "logs", "shop", "sell", "--try", "1", "--json").json
    lines = first.pop("lines")
    assert lines[0].endswith("INFO stdout - sold 1") and lines[-1] == "OSError: no change"
    assert first == {"dag_id": "shop", "run_id": "first", "task_id": "sell", "map_index": -1, "try_number": 1, "state": "success"}
    none = flowlet("tasks", "logs", "shop", "refund")
    assert (none.status, none.out, none.err) == (0, "", "flowlet: refund of run first is skipped: it has not been tried\n")
    assert flowlet("tasks", "logs", "shop", "refund", "--json").json["lines"] == []


def test_a_log_that_is_a_link_is_not_followed(shop: Path, flowlet: Any, folder: Path) -> None:
    (folder / "secret").write_text("secret\n")
    (log,) = (folder / "flowlet.db.logs").rglob("2.log")
    log.unlink()
    log.symlink_to(folder / "secret")
    done = flowlet("tasks", "logs", "shop", "sell")
    assert done.status == 2 and "secret" not in done.out and str(log) in done.err


def test_following_a_log_that_has_ended(shop: Path, flowlet: Any) -> None:
    assert flowlet("tasks", "logs", "shop", "sell", "-f").out.endswith("INFO stdout - sold 2\n")
    done = flowlet("tasks", "logs", "shop", "sell", "-f", "--try", "1", "--json")
    assert [json.loads(line)["line"] for line in done.out.splitlines()][-1] == "OSError: no change"


def test_why_a_task_stands_as_it_does(shop: Path, flowlet: Any) -> None:
    assert flowlet("tasks", "why", "shop", "refund").out == (
        "refund is skipped: sell succeeded; trigger rule all_failed needs every upstream to fail\n"
    )
    assert flowlet("tasks", "why", "shop", "sell", "--json").json == {
        "dag_id": "shop", "run_id": "first", "task_id": "sell", "map_index": -1, "state": "success", "why": "sell is success",
    }  # fmt: skip


def test_a_run_that_nobody_runs_says_so_wherever_it_is_asked(shop: Path, flowlet: Any) -> None:
    asked = flowlet("trigger", "shop", "--run-id", "second", "--json")
    assert (asked.json["state"], asked.json["tasks"]) == ("queued", {"sell": "none", "refund": "none"})
    again = flowlet("trigger", "shop", "--run-id", "second")
    assert again.out == "second of shop is queued\n"
    assert again.err == "flowlet: no scheduler runs on flowlet.db: `flowlet daemon FILE --db flowlet.db` will run it\n"
    why = f"no scheduler runs on this database (flowlet daemon {shop})"
    assert [run["waits"] for run in flowlet("runs", "list", "--json").json] == [why, None]
    assert f"waits: {why}" in flowlet("runs", "list").out
    assert flowlet("runs", "show", "shop", "--json").json["waits"] == why
    assert f"waits         {why}\n" in flowlet("runs", "show", "shop").out
    for name in ("sell", "refund"):
        assert flowlet("tasks", "why", "shop", name).out == f"the run waits: {why}\n"
    followed = flowlet("tasks", "logs", "shop", "sell", "-f")
    assert followed.err == "flowlet: sell is none, and no scheduler runs on this database: nothing more comes\n"


def test_cancelling_a_run_that_nobody_runs(shop: Path, flowlet: Any) -> None:
    flowlet("trigger", "shop", "--run-id", "second")
    assert flowlet("runs", "cancel", "shop", "second").out == "second of shop is failed: cancelled\n"
    again = flowlet("runs", "cancel", "shop", "second", "--json").json
    assert (again["state"], again["reason"]) == ("failed", "cancelled")
    assert flowlet("runs", "list").out.splitlines()[1].endswith("  cancelled")


def test_a_mapped_task_is_named_by_its_instances(write: Any, flowlet: Any) -> None:
    write("mapped.py", """
with DAG("mapped"):
    @task
    def names(): return ["a", "b", "c"]
    @task
    def load(name):
        print("loading", name)
        if name == "b": raise ValueError("no b")
    @task
    def total(loaded): return len(loaded)
    total(load.expand(name=names()))
""")
    done = flowlet("run", "mapped.py", "--run-id", "first")
    assert "load[1] | loading b" in done.out
    assert "  load[1] (try 1): ValueError: no b" in done.out
    shape = flowlet("runs", "show", "mapped", "--json").json
    assert [(task["task_id"], task["map_index"]) for task in shape["tasks"]] == [
        ("names", -1), ("load", 0), ("load", 1), ("load", 2), ("total", -1),
    ]  # fmt: skip
    assert flowlet("tasks", "why", "mapped", "total").out == (
        "total is upstream_failed: load[1] failed (ValueError: no b); trigger rule all_success needs every upstream to succeed\n"
    )
    assert flowlet("tasks", "logs", "mapped", "load[2]").out.endswith(" - loading c\n")
    assert flowlet("tasks", "logs", "mapped", "load").err == (
        "flowlet: the run 'first' of DAG 'mapped' has mapped 'load': name one of 'load[0]' to 'load[2]'\n"
    )


@pytest.mark.usefixtures("pool")
def test_pools(flowlet: Any) -> None:
    assert flowlet("pools", "list", "--json").json == [
        {"name": "default_pool", "slots": 128, "used": 0, "description": "", "include_deferred": False},
        {"name": "till", "slots": 2, "used": 0, "description": "drawers", "include_deferred": False},
    ]
    assert flowlet("pools", "set", "till", "1", "--json").json == {"name": "till", "slots": 1, "description": "", "include_deferred": False}
    counting = flowlet("pools", "set", "till", "1", "--include-deferred", "--json").json
    assert counting == {"name": "till", "slots": 1, "description": "", "include_deferred": True}
    assert flowlet("pools", "list", "--json").json[1] == {**counting, "used": 0}
    assert flowlet("pools", "delete", "till").out == "pool till is deleted\n"
    assert [pool["name"] for pool in flowlet("pools", "list", "--json").json] == ["default_pool"]
    assert flowlet("pools", "delete", "till").status == 2


def test_when_a_dag_is_due(shop: Path, flowlet: Any) -> None:
    due = flowlet("next", "shop", "-n", "3", "--json").json
    assert len(due) == 3 and [set(row) for row in due] == [{"due_at", "logical_date", "data_interval_start", "data_interval_end"}] * 3
    assert all(row["due_at"].endswith("T06:00:00.000000Z") for row in due)
    assert sorted(row["due_at"] for row in due) == [row["due_at"] for row in due]
    assert len(flowlet("next", "shop", "-n", "5").out.splitlines()) == 6


def test_a_dag_that_is_never_due_says_why(write: Any, flowlet: Any) -> None:
    write("never.py", 'with DAG("never"): EmptyOperator(task_id="t")\nwith DAG("past", start_date=datetime(2020, 1, 1), end_date=datetime(2020, 2, 1), schedule="@daily"): EmptyOperator(task_id="t")\n')
    for dag_id, why in {
        "never": "never is never due: it has no schedule (flowlet trigger, flowlet run)\n",
        "past": "past is not due any more: its schedule @daily ends at 2020-02-01T00:00:00.000000Z\n",
    }.items():
        flowlet("run", "never.py", dag_id)
        done = flowlet("next", dag_id)
        assert (done.status, done.out, done.err) == (0, "", why)
        assert flowlet("next", dag_id, "--json").json == []


def test_a_database_is_checked_copied_and_pruned(shop: Path, flowlet: Any, folder: Path) -> None:
    assert flowlet("db", "check").out == f"{folder}/flowlet.db is whole\n"
    assert flowlet("db", "check", "--json").json == {"db": f"{folder}/flowlet.db", "ok": True, "problems": []}
    made = flowlet("db", "backup", "copy.db", "--json").json
    assert made == {"db": "flowlet.db", "backup": f"{folder}/copy.db", "bytes": (folder / "copy.db").stat().st_size}
    assert flowlet("runs", "list", "--db", "copy.db", "--json").json == flowlet("runs", "list", "--json").json
    assert flowlet("db", "backup", "copy.db").status == 4
    for _ in range(2):
        flowlet("run", "shop.py")
    pruned = flowlet("db", "prune", "--keep-days", "0", "--keep-runs", "1")
    assert pruned.out == "deleted: 2 runs\n"
    assert len(flowlet("runs", "list", "--json").json) == 1
    assert flowlet("db", "prune", "--json").json == {"db": "flowlet.db", "deleted": 0}


def test_a_damaged_database_is_told(shop: Path, flowlet: Any, folder: Path) -> None:
    data = bytearray((folder / "flowlet.db").read_bytes())
    half = len(data) // 2 // 4096 * 4096
    data[half : half + 8192] = b"\xff" * 8192
    (folder / "flowlet.db").write_bytes(data)
    done = flowlet("db", "check")
    assert done.status in {1, 4} and "flowlet.db" in done.err + done.out
    assert flowlet("doctor").status == 1


def test_the_doctor_looks_at_everything(shop: Path, flowlet: Any) -> None:
    done = flowlet("doctor", "--json")
    findings = {finding["check"]: finding for finding in done.json["findings"]}
    assert done.status == 0 and done.json["ok"] is True
    assert {"versions", "settings", "clock", "place", "space", "file", "owner", "sequence", "integrity", "logs"} <= set(findings)
    assert findings["owner"]["text"] == "no scheduler runs on it"
    assert "runs: 1 success" in findings["file"]["text"]


def test_the_doctor_names_what_is_wrong(shop: Path, flowlet: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "flowlet.db").chmod(0o666)
    monkeypatch.setenv("FLOWLET__CORE_PARALLELISM", "4")
    monkeypatch.setenv("FLOWLET__CORE__DEFAULT_TIMEZONE", "Mars/Olympus")
    done = flowlet("doctor")
    assert done.status == 1
    for told in (
        f"fail  anybody can write {folder}/flowlet.db: chmod go-rwx {folder}/flowlet.db",
        "warn  FLOWLET__CORE_PARALLELISM is not FLOWLET__SECTION__KEY, so it has no effect: correct or unset it",
        "fail  FLOWLET__CORE__DEFAULT_TIMEZONE:",
    ):
        assert told in re.sub(" {2,}", "  ", done.out)


def test_every_moment_of_every_document_is_utc_with_microseconds(shop: Path, flowlet: Any) -> None:
    flowlet("trigger", "shop")
    seen = 0
    for words in ("dags list", "dags show shop", "runs list", "runs show shop first", "next shop -n 2", "trigger shop", "tasks why shop sell", "pools list"):
        for moment in moments(flowlet(*words.split(), "--json").json):
            seen += 1
            assert MOMENT.fullmatch(moment), (words, moment)
    assert seen > 20


def test_the_option_json_may_stand_anywhere(shop: Path, flowlet: Any) -> None:
    documents = [flowlet(*words.split()).json for words in ("--json runs list", "runs list --json", "runs list shop --json")]
    assert documents[0] == documents[1] == documents[2]
