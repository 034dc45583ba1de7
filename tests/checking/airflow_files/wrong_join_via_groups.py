from airflow.sdk import DAG, task, TaskGroup
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):

    @task.branch
    def pick(params):
        return "g" if params else "h"

    with TaskGroup("g") as g:
        EmptyOperator(task_id="x")
    with TaskGroup("h") as h:
        EmptyOperator(task_id="y")
    j = EmptyOperator(task_id="j")  # error: unreachable
    pick() >> [g, h] >> j
