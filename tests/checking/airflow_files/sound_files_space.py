from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator(task_id="a", bash_command="run.sh ")
    BashOperator(task_id="b", bash_command="/opt/run.sh {{ ds }} ")
