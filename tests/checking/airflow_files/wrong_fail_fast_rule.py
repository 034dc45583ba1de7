from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d", fail_fast=True):  # error: loading
    EmptyOperator(task_id="t") >> EmptyOperator(task_id="u", trigger_rule="all_done")
