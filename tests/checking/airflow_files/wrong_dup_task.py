from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    for i in range(2):
        EmptyOperator(task_id="t")  # error: loading
