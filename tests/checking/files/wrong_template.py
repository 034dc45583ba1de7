from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("template"):
    BashOperator(task_id="a", bash_command="echo {{ ds }")  # error: template-syntax
