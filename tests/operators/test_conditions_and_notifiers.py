"""Conditions above a task, notifiers as callbacks, literals in templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlet import DAG, BashOperator, DagError, PythonOperator, task
from flowlet.authoring.literals import literal
from flowlet.operators.notifier import BaseNotifier

Run = Callable[..., Any]


def test_a_condition_above_a_task_decides_whether_it_runs(run: Run) -> None:
    with DAG("conditions") as dag:

        @task.run_if(lambda context: context["task_instance"].task_id.endswith("yes"))
        @task
        def only() -> str:
            return "ran"

        @task.skip_if(lambda context: (context["ds"] == "2026-01-01", f"closed on {context['ds']}"))
        @task.bash
        def unless() -> str:
            return "echo ran"

        only()
        only.override(task_id="only_yes")()
        unless()
    told = run(dag)
    assert told.tasks == {"only": "skipped", "only_yes": "success", "unless": "skipped"}
    assert "closed on 2026-01-01" in told.reasons["unless"]


def test_both_conditions_must_let_it_run(run: Run) -> None:
    def conditions(first: bool, second: bool) -> str:
        with DAG("conditions") as dag:

            @task.run_if(lambda _: first, "not first")
            @task.skip_if(lambda _: second, "second")
            @task
            def body() -> None:
                return None

            body()
        return str(run(dag).reasons.get("body", "ran"))

    assert conditions(True, False) == "ran"
    assert "not first" in conditions(False, False)
    assert "second" in conditions(True, True)


def test_a_condition_stands_above_the_task() -> None:
    with pytest.raises(DagError, match=r"@task\.run_if stands above @task"):

        @task
        @task.run_if(lambda _: True)
        def wrong() -> None: ...


def test_one_notifier_serves_many_tasks(run: Run) -> None:
    heard: list[str] = []

    class Notifier(BaseNotifier):
        template_fields = ("text",)

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def notify(self, context: Any) -> None:
            heard.append(f"{self.text}: {context['exception']}")

    def fail() -> None:
        raise ValueError("no")

    notifier = Notifier("{{ ti.task_id }} of {{ ds }}")
    with DAG("notified", default_args={"on_failure_callback": notifier}) as dag:
        for name in ("a", "b"):
            PythonOperator(task_id=name, python_callable=fail)
    run(dag)
    assert sorted(heard) == ["a of 2026-01-01: no", "b of 2026-01-01: no"]
    assert notifier.text == "{{ ti.task_id }} of {{ ds }}"


def test_a_literal_is_not_rendered(run: Run) -> None:
    with DAG("literal") as dag:
        BashOperator(task_id="plain", bash_command=literal("echo '{{ ds }}'"))
        PythonOperator(task_id="nested", python_callable=lambda x: x, op_args=[[literal("{{ ds }}"), "{{ ds }}"]])
    told = run(dag)
    assert told.xcom("plain") == "{{ ds }}"
    assert told.xcom("nested") == ["{{ ds }}", "2026-01-01"]
