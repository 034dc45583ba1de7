from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("template_file"):
    BashOperator(task_id="a", bash_command="./load.sh")  # error: template-file
