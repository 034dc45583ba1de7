from airflow.sdk import DAG, TaskGroup
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):  # error: loading
    with TaskGroup("g") as g:
        a = EmptyOperator(task_id="a")
    with TaskGroup("h") as h:
        b = EmptyOperator(task_id="b")
    g >> h
    b >> a
