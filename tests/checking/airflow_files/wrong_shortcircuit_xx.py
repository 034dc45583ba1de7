from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    EmptyOperator(task_id="t") >> EmptyOperator(task_id="u", trigger_rule="all_failed")  # error: unreachable
