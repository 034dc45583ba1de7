from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("pool"):
    EmptyOperator(task_id="a", pool="narrow")  # hint: pool
    EmptyOperator(task_id="b", pool="narrow")
