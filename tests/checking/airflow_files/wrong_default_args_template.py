from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d", default_args={"env": {"A": "{{ dag_id_typo }}"}}):
    BashOperator(task_id="a", bash_command="env ")  # error: undefined-name
