from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator(task_id="t", bash_command="x", retry=3)  # error: loading
