from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("twice"):
    EmptyOperator(task_id="a")
    EmptyOperator(task_id="a")  # error: loading
