from airflow.sdk import dag
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")


@dag(schedule="0 0 30 2 *", start_date=S)
def d():
    EmptyOperator(task_id="a")


d()  # error: loading
