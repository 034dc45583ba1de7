from flowlet import DAG
from flowlet.operators.branch import BranchPythonOperator
from flowlet.operators.empty import EmptyOperator
from flowlet.operators.python import PythonOperator

def work():
    raise ValueError("now and then")


def several():
    return ["left", "right"]


with DAG("sound_rules"):
    a = PythonOperator(task_id="a", python_callable=work)
    a >> EmptyOperator(task_id="alarm", trigger_rule="all_failed") >> EmptyOperator(task_id="told")
    a >> EmptyOperator(task_id="idle", trigger_rule="all_skipped")
    both = BranchPythonOperator(task_id="both", python_callable=several)
    both >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")] >> EmptyOperator(task_id="joined")
