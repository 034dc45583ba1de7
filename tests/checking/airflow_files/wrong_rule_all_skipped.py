from airflow.sdk import dag, chain
from airflow.providers.standard.operators.empty import EmptyOperator


@dag
def d():
    a = EmptyOperator(task_id="a")
    b = EmptyOperator(task_id="b")
    chain(a, b, EmptyOperator(task_id="c", trigger_rule="all_skipped"))  # error: unreachable


d()
