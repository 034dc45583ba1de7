from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("failed"):
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    [a, b] >> EmptyOperator(task_id="alarm", trigger_rule="all_failed") >> EmptyOperator(task_id="after")  # error: unreachable
