from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("one_failed"):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="alarm", trigger_rule="one_failed")  # error: unreachable
