from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    EmptyOperator(task_id="a", trigger_rule="all_sucess")  # error: loading
