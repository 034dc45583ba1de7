from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime, pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", start_date=S, end_date=pendulum.datetime(2026, 3, 1, tz="UTC"), schedule="@daily"):
    EmptyOperator(task_id="a", start_date=pendulum.datetime(2026, 4, 1, tz="UTC"))  # error: dates
