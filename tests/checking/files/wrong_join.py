from flowlet import DAG
from flowlet.operators.branch import BranchPythonOperator
from flowlet.operators.empty import EmptyOperator

def choose(params):
    return "left" if params else "right"


with DAG("join"):
    branch = BranchPythonOperator(task_id="branch", python_callable=choose)
    left, right = EmptyOperator(task_id="left"), EmptyOperator(task_id="right")
    branch >> [left, right] >> EmptyOperator(task_id="join")  # error: unreachable
