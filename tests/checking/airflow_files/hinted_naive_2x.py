from airflow import DAG
from airflow.operators.dummy_operator import DummyOperator
from datetime import datetime

d = DAG("d", start_date=datetime(2024, 1, 1), schedule_interval="@daily", catchup=False)  # hint: naive-date
DummyOperator(task_id="x", dag=d)
