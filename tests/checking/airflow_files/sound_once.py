from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", schedule="@once", start_date=S):
    EmptyOperator(task_id="a")
with DAG("e", schedule="@continuous", start_date=S, max_active_runs=1):
    EmptyOperator(task_id="a")
