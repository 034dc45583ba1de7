"""Airflow 2.4 and later: TaskFlow, groups as functions, datasets, mapped tasks, multiple outputs, overrides."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.datasets import Dataset
from airflow.decorators import dag, task, task_group
from airflow.models.param import Param
from airflow.operators.python import get_current_context

FEATURES = Dataset("s3://features/daily")


@dag(
    dag_id="feature_store",
    schedule="@daily",
    start_date=pendulum.datetime(2023, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 1},
    params={"entities": Param(["user", "shop"], type="array"), "dry_run": Param(False, type="boolean")},
    tags=["features"],
)
def feature_store():
    """Features of all entities."""

    @task
    def entities(**context) -> list[str]:
        return context["params"]["entities"]

    @task(multiple_outputs=True)
    def describe(entity: str) -> dict[str, Any]:
        return {"name": entity, "width": len(entity)}

    @task_group(group_id="checks")
    def checks(width):
        @task
        def positive(value: int):
            assert value > 0
            return value

        @task.branch
        def wide(value: int):
            return "checks.is_wide" if value > 3 else None

        @task
        def is_wide():
            context = get_current_context()
            return context["ti"].task_id

        value = positive(width)
        wide(value) >> is_wide()
        return value

    @task(outlets=[FEATURES])
    def store(widths, dry_run: bool = False):
        return 0 if dry_run else sum(widths)

    @task
    def double(n: int) -> int:
        return n * 2

    names = entities()
    described = describe.override(task_id="describe_user")("user")
    checked = checks(described["width"])
    widths = double.partial().expand(n=[1, 2, 3])
    total = store(widths, dry_run="{{ params.dry_run }}" == "x")
    names >> described
    checked >> total


feature_store()
