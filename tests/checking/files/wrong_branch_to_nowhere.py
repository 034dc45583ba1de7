from flowlet import DAG, task
from flowlet.operators.empty import EmptyOperator

@task.branch
def choose():
    return "lefft"


with DAG("nowhere"):
    choose() >> EmptyOperator(task_id="left")  # error: unknown-task
