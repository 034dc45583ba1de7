"""Airflow 2.x TaskFlow: decorators, multiple outputs, a templated classic operator at the end."""

from typing import Dict

from airflow.decorators import dag, task
from airflow.operators.bash import BashOperator
from airflow.utils.dates import days_ago


@dag(schedule_interval=None, start_date=days_ago(2), tags=["example"], default_args={"owner": "airflow"})
def weather_taskflow():
    """### Weather

    Documentation of the DAG.
    """

    @task
    def extract() -> list:
        return [12.5, 14.0, 9.5]

    @task(multiple_outputs=True)
    def summarise(values: list) -> Dict[str, float]:
        return {"max": max(values), "mean": sum(values) / len(values)}

    @task()
    def describe(highest: float, mean: float, ds=None) -> str:
        return f"{ds}: {highest} / {mean}"

    summary = summarise(extract())
    text = describe(summary["max"], summary["mean"])
    text >> BashOperator(task_id="show", bash_command="echo \"{{ ti.xcom_pull(task_ids='describe') }}\"")


weather_dag = weather_taskflow()
