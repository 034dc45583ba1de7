from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("circle"):  # error: loading
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    a >> b >> a
