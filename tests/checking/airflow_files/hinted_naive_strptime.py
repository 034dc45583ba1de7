from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime

with DAG("d", start_date=datetime.datetime.strptime("2026-01-01", "%Y-%m-%d")):  # hint: naive-date
    EmptyOperator(task_id="a")
