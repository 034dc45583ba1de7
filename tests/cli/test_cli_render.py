"""`flowlet tasks render`, and labels of mapped instances: from the file, in another process, without the DAG's code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .process import Done

FILE = '''
from flowlet import BashOperator, get_current_context
with DAG("d"):
    BashOperator(task_id="day", bash_command="echo {{ ds }}", env={"TOKEN": "t0ken", "ALL": "{{ run_id }}"})
    BashOperator(task_id="plain", bash_command="echo hi")
    @task(map_index_template="{{ word }}!")
    def each(word):
        get_current_context()["word"] = word.upper()
    @task.short_circuit
    def stop():
        return False
    each.expand(word=["a", "b"])
    stop() >> BashOperator(task_id="never", bash_command="echo {{ ds }}")
'''


@pytest.fixture
def ran(write: Callable[[str, str], Path], flowlet: Callable[..., Done]) -> None:
    """A run `r` of 2026-01-15, which is over."""
    write("d.py", FILE)
    assert flowlet("run", "d.py", "--run-id", "r", "--logical-date", "2026-01-15", "-q").status == 0


@pytest.mark.usefixtures("ran")
def test_the_fields_of_a_task_as_its_last_try_had_them(flowlet: Callable[..., Done]) -> None:
    done = flowlet("tasks", "render", "d", "day")
    assert done.out == '\nbash_command\necho 2026-01-15\n\nenv\n{\n  "TOKEN": "***",\n  "ALL": "r"\n}\n'
    assert flowlet("tasks", "render", "d", "each[1]", "r", "--json").json == {
        "dag_id": "d", "run_id": "r", "task_id": "each", "map_index": 1, "state": "success", "label": "B!",
        "rendered": {"templates_dict": None, "op_args": [], "op_kwargs": {"word": "b"}},
    }  # fmt: skip
    assert flowlet("tasks", "render", "d", "each[0]").out.startswith("# A!\n")


@pytest.mark.usefixtures("ran")
def test_where_nothing_was_rendered_it_says_why(flowlet: Callable[..., Done]) -> None:
    done = flowlet("tasks", "render", "d", "plain")
    assert (done.status, done.out) == (0, "")
    assert done.err == (
        "flowlet: plain of run r has no template that was rendered: its fields are as they stand in its DAG,"
        " or what others returned\n"
    )
    assert flowlet("tasks", "render", "d", "never").err == "flowlet: never of run r is skipped: it has not been tried\n"
    assert flowlet("tasks", "render", "d", "dya").status == 2


@pytest.mark.usefixtures("ran")
def test_a_run_shows_its_instances_by_their_labels(flowlet: Callable[..., Done]) -> None:
    labels = {(task["task_id"], task["map_index"]): task["label"] for task in flowlet("runs", "show", "d", "--json").json["tasks"]}
    assert labels == {("day", -1): None, ("plain", -1): None, ("each", 0): "A!", ("each", 1): "B!", ("stop", -1): None, ("never", -1): None}
    assert "each[0] A!" in flowlet("runs", "show", "d").out
