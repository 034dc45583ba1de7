"""DAG files as tutorials and companies write them, for Airflow 1.10, 2 and 3: each loads and runs as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG
from flowlet.registry.loading import Loaded, load_file

from .mailbox import Mailbox

pytestmark = pytest.mark.filterwarnings("ignore:sla")  # some files are from the days of SLAs

FOLDER = Path(__file__).parent / "dags"
DAY = datetime(2026, 1, 15, tzinfo=UTC)  # a Thursday

Story = dict[str, Any]


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server of this process, which Airflow's settings name."""
    with Mailbox() as box:
        monkeypatch.setenv("AIRFLOW__SMTP__SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__SMTP__SMTP_PORT", str(box.port))
        monkeypatch.setenv("FLOWLET__SMTP__SMTP_STARTTLS", "False")
        yield box


def load(name: str) -> Loaded:
    loaded = load_file(FOLDER / f"{name}.py")
    assert loaded.problems == ()
    return loaded


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Story]:
    """Load a file and run one of its DAGs; gives what it came to."""

    def story(name: str, dag_id: str | None = None, **options: Any) -> Story:
        dags = {dag.dag_id: dag for dag in load(name).dags}
        return run(dags[dag_id or name], **options)

    return story


def run(dag: DAG, **options: Any) -> Story:
    return dag.test(**{"logical_date": DAY, **options}).as_dict()


@pytest.fixture(autouse=True)
def siblings() -> Iterator[None]:
    yield
    sys.modules.pop("shared_helpers", None)


def states(told: Story) -> dict[str, str]:
    return told["tasks"]


def test_every_file_of_the_folder_is_run_here() -> None:
    text = Path(__file__).read_text()
    names = [path.stem for path in FOLDER.glob("*.py") if path.stem != "shared_helpers"]
    assert len(names) >= 15
    assert [name for name in names if f'("{name}"' not in text] == []


def test_sales_etl(story: Any) -> None:
    told = story("sales_etl")
    assert set(states(told).values()) == {"success"}
    assert told["xcoms"]["load:return_value"] == "2026-01-15 1236.7 for 2026-01-15"
    (dag,) = load("sales_etl").dags
    assert (dag.max_active_tasks, dag.max_active_runs) == (4, 1)
    assert dag.get_task("load").max_active_tis_per_dag == 1
    assert dag.fileloc == str(FOLDER / "sales_etl.py")


def test_nightly_reports(story: Any) -> None:
    told = story("nightly_reports")
    assert set(states(told).values()) == {"success"}
    assert told["xcoms"]["export_orders:return_value"] == "orders 20260115 2026-01-08"
    assert told["xcoms"]["check:return_value"] == "ok!"


def test_choose_model(story: Any) -> None:
    told = story("choose_model")
    assert [states(told)[task] for task in ("accurate", "inaccurate", "join")] == ["success", "skipped", "success"]


def test_customers(story: Any) -> None:
    assert [dag.dag_id for dag in load("customers").dags] == ["customer_acme", "customer_globex"]
    told = story("customers", "customer_globex")
    assert told["xcoms"]["bye:return_value"] == "globex on 0 */4 * * *"


def test_weather_taskflow(story: Any) -> None:
    told = story("weather_taskflow")
    assert told["xcoms"]["show:return_value"] == "2026-01-15: 14.0 / 12.0"
    assert told["xcoms"]["summarise:max"] == 14.0


def test_grouped_load(story: Any) -> None:
    told = story("grouped_load")
    assert set(states(told).values()) == {"success"}
    assert "erp.checks.check_2" in states(told)
    (dag,) = load("grouped_load").dags
    assert dag.get_edge_info("crm.read", "crm.checks.check_1") == {"label": "raw"}


def test_own_operators(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", "s3://lake.example:9000/bucket")
    told = story("own_operators")
    assert told["xcoms"]["copy:return_value"] == "s3://lake.example:9000/bucket/raw/2026-01-15"
    monkeypatch.delenv("AIRFLOW_CONN_LAKE")
    assert story("own_operators")["errors"] == {"copy": ["ConnectionNotFound"]}


def test_flaky_api(story: Any) -> None:
    loaded = load("flaky_api")
    told = run(loaded.dags[0])
    assert states(told) == {"flaky": "success", "bad_request": "failed", "nothing_new": "skipped", "alert": "success"}
    assert told["tries"] == {"flaky": 3, "bad_request": 1, "nothing_new": 1, "alert": 1}
    called = loaded.dags[0].get_task("flaky").python_callable.__globals__["CALLED"]
    assert ("failure", "bad_request", "400") in called
    assert len([call for call in called if call[:2] == ("retry", "flaky")]) == 2
    assert story("flaky_api")["state"] == "success"  # its leaf ran


def test_configured(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_ENVIRONMENT", "prod")
    monkeypatch.setenv("AIRFLOW_VAR_SETTINGS", '{"tables": ["orders"]}')
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://user:secret@db.example:5432/dwh")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/srv/dags")
    told = story("configured")
    assert told["xcoms"]["read:return_value"] == ["prod", {"tables": ["orders"]}, "/srv/dags", "a default"]
    assert told["xcoms"]["render:return_value"] == "prod orders db.example"


def test_amsterdam(story: Any) -> None:
    told = story("amsterdam")
    assert told["xcoms"]["window:return_value"] == ["2026-01-01", "2026-01-31", "2026/01/15 00:00", 14]
    assert told["xcoms"]["templates:return_value"] == "2026-01-14 2026-01-14 20260116 2026-01-15 Q1"
    (dag,) = load("amsterdam").dags
    assert dag.timezone_name == "Europe/Amsterdam"


def test_gates(story: Any) -> None:
    told = story("gates")
    skipped = {task for task, state in states(told).items() if state == "skipped"}
    assert skipped == {"work", "weekend", "landed"}
    assert told["state"] == "success"


def test_controller(story: Any, tmp_path: Path) -> None:
    told = story("controller")
    assert told["triggered_runs"] == [
        {"dag_id": "worker", "run_id": "manual__2026-01-15T00:00:00+00:00", "state": "queued"}
    ]
    db = tmp_path / "flowlet.db"
    story("controller", db=db)
    told = story("controller", "worker", db=db, run_conf={"message": "hi"})
    assert (told["state"], told["xcoms"]["say:return_value"]) == ("success", "hi")


def test_from_config(story: Any) -> None:
    told = story("from_config", run_id="one")
    assert states(told) == {"unload": "success", "copy": "success", "vacuum": "skipped"}
    assert told["xcoms"]["copy:return_value"] == "copy one"


def test_mapped_files(story: Any) -> None:
    told = story("mapped_files")
    assert told["xcoms"]["total:return_value"] == 30
    assert told["xcoms"]["copy[1]:return_value"] == "copy b.csv"


def test_cluster_job(story: Any) -> None:
    told = story("cluster_job")
    assert states(told) == {"create_cluster": "success", "run_query": "failed", "delete_cluster": "success"}
    assert told["state"] == "failed"


def test_asked_for(story: Any) -> None:
    told = story("asked_for", run_conf={"country": "nl", "days": 5})
    assert (told["xcoms"]["say:return_value"], told["xcoms"]["long_way:return_value"]) == ("nl", "long_way")
    assert (states(told)["short_way"], told["xcoms"]["ready:return_value"]) == ("skipped", "seen")
    assert told["xcoms"]["last.show:return_value"] == 6
    told = story("asked_for", run_conf={"country": "de", "days": 1})
    assert [states(told)[task] for task in ("long_way", "short_way", "ready")] == ["skipped", "success", "skipped"]


def test_deferring(story: Any) -> None:
    told = story("deferring")
    assert states(told) == {"settle": "success", "export": "success"}
    assert told["xcoms"]["export:return_value"] == {"rows": 3, "woken": True}


def test_tenants(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(dag.dag_id, dag.schedule) for dag in load("tenants").dags] == [("tenant_north", "@daily"), ("tenant_south", None)]
    told = story("tenants", "tenant_north")
    assert (told["xcoms"]["report:return_value"], told["xcoms"]["tables.load_b:return_value"]) == (20, "north.b@2026-01-15")
    assert states(story("tenants", "tenant_south")) == {"start": "success", "tables.nothing": "skipped", "report": "skipped"}
    monkeypatch.setenv("AIRFLOW_VAR_TENANTS", '{"west": {"schedule": "@once", "tables": ["c"]}}')
    assert [dag.dag_id for dag in load("tenants").dags] == ["tenant_west"]


def test_paged_mail(story: Any, mailbox: Any) -> None:
    told = story("paged_mail")
    assert states(told) == {"bad": "failed", "told": "success"}
    paged, report = sorted(mailbox.wait_for(2), key=lambda mail: "paged_mail" not in mail.text)
    assert (paged.to, report.to) == (["oncall@example.com", "data@example.com"], ["a@example.com", "b@example.com", "c@example.com"])
    assert "Subject: [airflow] paged_mail.bad failed" in paged.text
    assert "run manual__2026-01-15T00:00:00+00:00 on 2026-01-15: no rows" in paged.text
    assert "/dags/paged_mail/runs/manual__2026-01-15T00%3A00%3A00%2B00%3A00/tasks/bad?try_number=1" in paged.text
    assert "Subject: Report of 2026-01-15" in report.text
    assert "CC: c@example.com" in report.text
    assert "<b>manual__2026-01-15T00:00:00+00:00</b>" in report.text


def test_window_macros(story: Any) -> None:
    told = story("window_macros", run_conf={"who": "me"})["xcoms"]
    assert told["path:return_value"] == "s3://lake/2026/01/PART"
    assert told["window:return_value"] == "2026-01-14 2026-01-15 2026-01-16 20260115 14.01.2026"
    shown = told["sql:return_value"]
    assert shown["query"].split() == ["SELECT", "x", "LIMIT", "10;", "SELECT", "y", "LIMIT", "10;"]
    assert (shown["pulled"], shown["conf"], shown["next"]) == ("s3://lake/2026/01/PART", "me", "2026-01-16")


def test_waits_for_files(story: Any) -> None:
    told = story("waits_for_files")
    assert states(told) == {"there": "success", "big": "success", "later": "success", "never": "skipped", "work": "success"}


def test_ab_branches(story: Any) -> None:
    told = states(story("ab_branches"))
    assert {task for task, state in told.items() if state == "skipped"} == {"small", "alarm"}
    assert told["join"] == told["end"] == "success"


def test_feature_store(story: Any) -> None:
    told = story("feature_store", run_conf={"entities": ["a"]})
    assert (told["xcoms"]["entities:return_value"], told["xcoms"]["store:return_value"]) == (["a"], 12)
    assert told["xcoms"]["checks.is_wide:return_value"] == "checks.is_wide"
    assert [event["uri"] for event in told["asset_events"]] == ["s3://features/daily"]


def test_hourly_report(story: Any) -> None:
    told = story("hourly_report")
    assert (states(told)["full"], states(told)["quick"], states(told)["last"]) == ("success", "skipped", "success")
    assert told["xcoms"]["full:return_value"] == "full 2026-01-15T00:00:00+00:00 20260115T000000"


def test_lake_loader(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_EU", "lake://me@lake.example:1/bucket?zone=clean")
    told = story("lake_loader")
    assert told["xcoms"]["first:return_value"] == "lake.example:1/bucket/clean/20260115/1"
    assert (states(told)["second"], told["xcoms"]["last:return_value"]) == ("skipped", "me")
    assert told["rendered"]["first"] == {"partition": "20260115", "options": {"rows": "5"}}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_EU", "lake://me@lake.example:1/bucket?zone=broken")
    assert story("lake_loader")["tries"]["first"] == 1


def test_monthly_close(story: Any) -> None:
    told = story("monthly_close")
    skipped = {task for task, state in states(told).items() if state == "skipped"}
    assert (told["state"], skipped) == ("success", {"wait", "other", "evening"})
    assert told["xcoms"]["balance:return_value"] == "2026-01-01 3 days before"
    assert told["triggered_runs"][0]["dag_id"] == "ledger"
    assert load("monthly_close").dags[1].get_task("balance").owner == "finance"
    assert story("monthly_close", "ledger")["state"] == "success"


def test_etl_classes(story: Any) -> None:
    told = story("etl_classes")
    assert (told["tries"], told["errors"]) == ({"extract": 2, "transform": 1, "load": 1}, {"extract": ["FlowletError"]})
    assert told["xcoms"]["load:return_value"] == {"rows": [0, 10, 20], "step": 2, "run": "manual__2026-01-15T00:00:00+00:00", "at": True}
