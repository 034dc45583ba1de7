from airflow import DAG
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python_operator import BranchPythonOperator
from datetime import datetime


def pick(**kw):
    if kw["ds_nodash"] > "2":
        return "a"
    return "b"


d = DAG(
    "d",
    schedule_interval="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=__import__("datetime").timezone.utc),
    catchup=False,
)
p = BranchPythonOperator(task_id="p", python_callable=pick, provide_context=True, dag=d)
a = DummyOperator(task_id="a", dag=d)
b = DummyOperator(task_id="b", dag=d)
j = DummyOperator(task_id="j", dag=d)  # error: unreachable
p >> [a, b]
[a, b] >> j
