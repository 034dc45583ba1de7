from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("skipped"):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="all_skipped")  # error: unreachable
