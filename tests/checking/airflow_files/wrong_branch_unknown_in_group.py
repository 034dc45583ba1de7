from airflow.sdk import DAG, task, TaskGroup
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    with TaskGroup("g"):

        @task.branch
        def pick():
            return "left"

        pick() >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]  # error: unknown-task
