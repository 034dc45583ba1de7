"""Files with one defect each, which is found at its line, and sound files, in which nothing is found.

`# error: unreachable` at the end of a line says what is to be found there.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowlet.checking.whole import Report, check
from flowlet.clock import to_micros
from flowlet.registry.loading import load_file

from .corpus import expected, told

FILES = sorted((Path(__file__).parent / "files").glob("*.py"))
NOW = to_micros(datetime(2026, 6, 1, tzinfo=UTC))

ETL = """\
from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("etl"):
    EmptyOperator(task_id="load")
"""

WAITS = """\
from flowlet import DAG
from flowlet.operators.external_task import ExternalTaskSensor
from flowlet.operators.trigger_dagrun import TriggerDagRunOperator

with DAG("waits"):
    ExternalTaskSensor(task_id="task", external_dag_id="etl", external_task_id="lod")
    TriggerDagRunOperator(task_id="dag", trigger_dag_id="ettl")
    TriggerDagRunOperator(task_id="later", trigger_dag_id="{{ params.which }}", params={"which": "etl"})
    ExternalTaskSensor(task_id="sound", external_dag_id="etl", external_task_id="load")
"""


def look(*paths: Path, pools: tuple[str, ...] = ()) -> Report:
    return check([str(path) for path in paths], load_file, now=NOW, pools=pools)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_wrong_in_a_file_is_found_at_its_line_and_nothing_else(file: Path) -> None:
    assert told(look(file).findings) == expected(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_name_of_a_file_says_how_much_is_wrong(file: Path) -> None:
    levels = {"wrong": "error", "warned": "warning", "hinted": "hint", "sound": None}
    level = levels[file.stem.partition("_")[0]]
    assert {found for found, _, _ in expected(file)} == ({level} if level else set())


def test_each_finding_tells_whose_it_is_and_the_way_out() -> None:
    (file,) = [file for file in FILES if file.stem == "wrong_join"]
    (finding,) = look(file).findings
    assert (finding.dag, finding.task, finding.file) == ("join", "join", str(file))
    assert "'branch' always skips one of 'left', 'right'" in finding.text
    assert finding.way_out == "give it trigger_rule='none_failed_min_one_success'"


def test_what_a_text_tells_is_told_of_its_only_dag() -> None:
    (file,) = [file for file in FILES if file.stem == "hinted_naive_date"]
    assert [finding.dag for finding in look(file).findings] == ["naive"]


def test_a_pool_that_exists_is_no_finding() -> None:
    (file,) = [file for file in FILES if file.stem == "hinted_pool"]
    assert look(file, pools=("narrow",)).findings == []


def test_only_errors_make_a_file_unsound() -> None:
    assert {file.stem: look(file).is_sound for file in FILES} == {
        file.stem: not file.stem.startswith("wrong") for file in FILES
    }


def test_the_number_of_runs_that_catchup_makes_is_told() -> None:
    (file,) = [file for file in FILES if file.stem == "hinted_catchup"]
    (finding,) = look(file).findings
    assert f"about {882 * 288:,} runs" in finding.text  # 882 days from 2024 to June 2026, 12 an hour


# -- folders ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etl.py").write_text(ETL)
    (tmp_path / "waits.py").write_text(WAITS)
    return tmp_path


def test_in_a_whole_folder_dags_and_tasks_that_nobody_defines_are_found(folder: Path) -> None:
    report = look(folder)
    assert [(finding.level, finding.check, finding.task) for finding in report.findings] == [
        ("warning", "unknown-task", "task"), ("warning", "unknown-dag", "dag"),
    ]  # fmt: skip
    assert all("did you mean" in finding.text for finding in report.findings)


def test_of_single_files_nobody_knows_what_others_define(folder: Path) -> None:
    assert look(folder / "waits.py").findings == []


def test_a_file_that_does_not_load_may_define_what_others_name(folder: Path) -> None:
    (folder / "ettl.py").write_text("from flowlet import DAG\nDAG('ettl')\n1 / 0\n")
    assert told(look(folder).findings) == Counter([("error", "loading", 3), ("warning", "unknown-task", 6)])


def test_in_a_folder_modules_without_dags_are_no_finding_and_what_tells_of_none_is_not_executed(folder: Path) -> None:
    (folder / "helpers.py").write_text("from flowlet import DAG\n")
    (folder / "setup.py").write_text("raise RuntimeError\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "dag.py").write_text("import flowlet\n1 / 0  # dag\n")
    assert look(folder).files == 3
    assert look(folder).is_sound
    assert not look(folder / "helpers.py").is_sound


def test_two_files_with_one_dag_id_name_each_other(folder: Path) -> None:
    (folder / "other.py").write_text(ETL)
    errors = [finding for finding in look(folder).findings if finding.level == "error"]
    (finding,) = errors
    assert (finding.check, Path(finding.file).name, finding.line) == ("dag-id", "other.py", 4)
    assert "etl.py:4" in finding.text


@pytest.mark.parametrize(("text", "line"), [("x = 1\ndef f(:\n", 2), ("\0", 1)])
def test_what_is_no_python_is_one_error(text: str, line: int, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text)
    (finding,) = look(file).findings
    assert (finding.level, finding.check, finding.line) == ("error", "loading", line)


def test_a_file_that_does_not_exist_is_one_error(tmp_path: Path) -> None:
    (finding,) = look(tmp_path / "none.py").findings
    assert "does not exist" in finding.text
