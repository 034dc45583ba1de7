from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("name"):
    BashOperator(task_id="a", bash_command="echo {{ dss }}")  # error: undefined-name
