from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator(task_id="a", bash_command="{% for i in range(3) %}{{ j }}{% endfor %}")  # error: undefined-name
