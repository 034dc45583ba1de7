from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from datetime import timedelta
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("a", schedule="@daily", start_date=S):
    EmptyOperator(task_id="x")
with DAG("b", schedule="30 4 * * *", start_date=S):
    ExternalTaskSensor(  # warning: never-matches
        task_id="w", external_dag_id="a", external_task_id="x", execution_delta=timedelta(hours=4)
    )
