from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("never", schedule="0 0 30 2 *"):  # error: loading
    EmptyOperator(task_id="a")
