from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    a = BashOperator(task_id="a", bash_command="echo 1")
    a >> BashOperator(task_id="b", bash_command="echo {{ ti.xcom_pull(task_ids='a', key='sum') }}")  # error: xcom-key
