from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("params", schedule="@daily", params={"country": "NL"}):
    BashOperator(task_id="a", bash_command="echo {{ params.contry }}")  # warning: undefined-param
