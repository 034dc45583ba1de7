from flowlet import DAG
from flowlet.operators.bash import BashOperator
from flowlet.operators.python import PythonOperator

with DAG("bash_keys"):
    size = BashOperator(task_id="size", bash_command="du -s .")
    PythonOperator(task_id="show", python_callable=print, op_args=[size.output["stdout"]])  # error: xcom-key
