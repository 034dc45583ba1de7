from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("a", schedule="0 2 * * 1", start_date=S):
    EmptyOperator(task_id="x")
with DAG("b", schedule="0 2 * * 2", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a")  # warning: never-matches
