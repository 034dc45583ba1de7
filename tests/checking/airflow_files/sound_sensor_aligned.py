from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from datetime import timedelta
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("a", schedule="0 2 * * *", start_date=S):
    EmptyOperator(task_id="x")
with DAG("b", schedule="0 3 * * *", start_date=S):
    ExternalTaskSensor(
        task_id="w", external_dag_id="a", external_task_id="x", execution_delta=timedelta(hours=1)
    )
with DAG("c", schedule="@hourly", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a", external_task_id="x")
with DAG("e", schedule="0 2 1 * *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a", external_task_id="x")
with DAG("f", schedule="*/5 * * * *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="e")
with DAG("g", schedule=timedelta(hours=6), start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="c")
with DAG("h", schedule=None):
    ExternalTaskSensor(task_id="w", external_dag_id="a")
with DAG("i", schedule="7 7 * * *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="h")
    ExternalTaskSensor(task_id="v", external_dag_id="a", execution_date_fn=lambda d: d)
with DAG("k", schedule="0 2 29 2 *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="a")
with DAG("minutes", schedule="* * * * *", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="weekly")
with DAG("weekly", schedule="0 12 * * 4", start_date=S):
    ExternalTaskSensor(task_id="w", external_dag_id="minutes")
