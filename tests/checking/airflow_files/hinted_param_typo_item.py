from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d", params={"country": "NL"}):
    BashOperator(task_id="a", bash_command="echo {{ params['contry'] }}")  # hint: undefined-param
