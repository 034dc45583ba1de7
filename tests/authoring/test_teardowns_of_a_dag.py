"""A DAG names its teardowns, and what comes directly before them (Airflow: DAG.teardowns)."""

from __future__ import annotations

from flowlet import DAG, EmptyOperator


def test_a_dag_names_its_teardowns_and_the_tasks_before_them() -> None:
    with DAG("cluster") as dag:
        create, use = EmptyOperator(task_id="create"), EmptyOperator(task_id="use")
        stop, delete = EmptyOperator(task_id="stop"), EmptyOperator(task_id="delete")
        create >> use >> stop.as_teardown() >> delete.as_teardown(setups=create)
    assert dag.teardowns == [stop, delete]
    assert sorted(task.task_id for task in dag.tasks_upstream_of_teardowns) == ["create", "use"]


def test_a_dag_without_teardowns_names_none() -> None:
    with DAG("plain") as dag:
        EmptyOperator(task_id="only")
    assert (dag.teardowns, dag.tasks_upstream_of_teardowns) == ([], [])
