from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d") as a:
    EmptyOperator(task_id="t")
with DAG("d") as b:  # warning: warning
    EmptyOperator(task_id="t")
