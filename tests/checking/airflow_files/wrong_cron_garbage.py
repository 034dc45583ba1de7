from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", schedule="every day", start_date=S):  # error: loading
    EmptyOperator(task_id="a")
