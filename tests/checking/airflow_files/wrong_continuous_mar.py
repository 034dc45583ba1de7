from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", schedule="@continuous", start_date=S, max_active_runs=3):  # error: loading
    EmptyOperator(task_id="t")
