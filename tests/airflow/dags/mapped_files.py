"""Airflow 3: dynamic mapping over what a task finds, partial arguments, a reduction."""

from airflow.sdk import DAG, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("mapped_files", schedule=None) as dag:

    @task
    def list_files():
        return ["a.csv", "b.csv", "c.csv"]

    @task
    def count(name, factor):
        return len(name) * factor

    @task(trigger_rule="none_failed")
    def total(counts):
        return sum(counts)

    files = list_files()
    total(count.partial(factor=2).expand(name=files))
    BashOperator.partial(task_id="copy", do_xcom_push=True).expand(
        bash_command=files.map(lambda name: f"echo copy {name}")
    )
