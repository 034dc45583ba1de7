from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("filter"):
    BashOperator(task_id="a", bash_command="echo {{ ds | shout }}")  # error: template-syntax
