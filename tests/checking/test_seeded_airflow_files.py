"""The same for files as Airflow's users write them: classic, with decorators, from factories, for Airflow 2."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowlet.checking.whole import check
from flowlet.clock import to_micros
from flowlet.registry.loading import load_file

from .corpus import expected, told

FILES = sorted((Path(__file__).parent / "airflow_files").glob("*.py"))
NOW = to_micros(datetime(2026, 6, 1, tzinfo=UTC))
LEVELS = {"wrong": "error", "warned": "warning", "hinted": "hint", "sound": None}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.usefixtures("airflow_names")
def test_what_is_wrong_in_a_file_for_airflow_is_found_at_its_line_and_nothing_else(file: Path) -> None:
    found = told(check([str(file)], load_file, now=NOW).findings)
    assert found == expected(file)
    level = LEVELS[file.stem.partition("_")[0]]
    assert {one for one, _, _ in found} == ({level} if level else set())


@pytest.mark.usefixtures("airflow_names")
def test_a_sensor_that_waits_for_runs_by_assets_never_matches(tmp_path: Path) -> None:
    file = tmp_path / "assets.py"
    file.write_text(
        "from airflow.sdk import DAG, Asset\n"
        "from airflow.providers.standard.sensors.external_task import ExternalTaskSensor\n"
        "with DAG('by_assets', schedule=[Asset('x')]):\n    pass\n"
        "with DAG('waits', schedule='@daily'):\n"
        "    ExternalTaskSensor(task_id='wait', external_dag_id='by_assets')\n"
    )
    found = told(check([str(file)], load_file, now=NOW).findings)
    assert ("warning", "never-matches", 6) in found


@pytest.mark.parametrize(
    ("text", "told_as"),
    [
        ("import a_library_that_nobody_has\n", ("warning", "not-checked")),
        ("import airflow.providers.snowflake.operators.snowflake\n", ("warning", "not-checked")),
        ("import helpres\n", ("error", "loading")),
        ("import helpers.inner\n", ("error", "loading")),
        ("from airflow.sdk import Nonsense\n", ("error", "loading")),
    ],
)
@pytest.mark.usefixtures("airflow_names")
def test_what_is_not_installed_is_no_defect_and_a_misspelt_module_is(text: str, told_as: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("")
    file = tmp_path / "dags.py"
    file.write_text(text)
    (finding,) = check([str(file)], load_file, now=NOW).findings
    assert (finding.level, finding.check) == told_as


def test_modules_of_the_folder_and_of_the_package_of_a_file_are_importable(tmp_path: Path) -> None:
    dags = tmp_path / "root" / "company" / "dags"
    dags.mkdir(parents=True)
    for folder in (dags, dags.parent):
        (folder / "__init__.py").touch()
    (dags.parent / "names_of_the_company.py").write_text("NAME = 'etl'\n")
    (dags / "etl.py").write_text(
        "from flowlet import DAG\nfrom flowlet.operators.empty import EmptyOperator\n"
        "from company.names_of_the_company import NAME\nimport names_of_the_company\n"
        "with DAG(NAME):\n    EmptyOperator(task_id='a')\n"
    )
    report = check([str(dags.parent)], load_file, now=NOW)
    assert (report.findings, report.dags) == ([], 1)


def test_what_a_function_of_several_dags_pulls_may_be_of_any_of_them(tmp_path: Path) -> None:
    file = tmp_path / "shared.py"
    file.write_text(
        "from flowlet import DAG\nfrom flowlet.operators.python import PythonOperator\n"
        "def body(ti):\n    return ti.xcom_pull(task_ids='one') or ti.xcom_pull(task_ids='two')\n"
        "for name in ('one', 'two'):\n    with DAG(name):\n"
        "        PythonOperator(task_id=name, python_callable=print) >> PythonOperator(task_id='b', python_callable=body)\n"
    )
    assert told(check([str(file)], load_file, now=NOW).findings) == Counter()
