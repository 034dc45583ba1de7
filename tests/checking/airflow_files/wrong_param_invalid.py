from airflow.sdk import DAG, Param
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", schedule="@daily", start_date=S, params={"x": Param("a", type="integer")}):  # error: loading
    EmptyOperator(task_id="a")
