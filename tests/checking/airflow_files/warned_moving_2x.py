from airflow import DAG
from airflow.operators.dummy_operator import DummyOperator

from airflow.utils.dates import days_ago

d = DAG("d", start_date=days_ago(2), schedule_interval="@daily", catchup=False)  # warning: moving-date
DummyOperator(task_id="x", dag=d)
