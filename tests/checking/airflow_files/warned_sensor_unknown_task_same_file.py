from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("a", schedule="@daily", start_date=S):
    EmptyOperator(task_id="x")
with DAG("b", schedule="@daily", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a", external_task_id="xx")  # warning: unknown-task
