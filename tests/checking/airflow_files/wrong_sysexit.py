from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

import sys

with DAG("d"):
    EmptyOperator(task_id="t")
sys.exit(3)  # error: loading
