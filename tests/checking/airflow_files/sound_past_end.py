from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime, pendulum

with DAG(
    "d",
    schedule="@daily",
    start_date=pendulum.datetime(2020, 2, 1, tz="UTC"),
    end_date=pendulum.datetime(2021, 1, 1, tz="UTC"),
    catchup=False,
):
    EmptyOperator(task_id="a")
