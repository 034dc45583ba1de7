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

FOLDER = Path(__file__).parent / "dags"
DAY = datetime(2026, 1, 15, tzinfo=UTC)  # a Thursday

Story = dict[str, Any]


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
