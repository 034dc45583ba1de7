from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator(task_id="a", bash_command="echo {{ logical_date | dss }}")  # error: template-syntax
