from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("pull"):
    first = BashOperator(task_id="extract", bash_command="echo 1")
    first >> BashOperator(task_id="load", bash_command="echo {{ ti.xcom_pull(task_ids='extrakt') }}")  # error: unknown-task
