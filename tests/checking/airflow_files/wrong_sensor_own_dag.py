from airflow.sdk import DAG
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor

with DAG("a"):
    ExternalTaskSensor(task_id="w", external_dag_id="a")  # error: never-matches
