from airflow.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):

    @task.branch
    def p(params):
        return "a" if params else "b"

    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    (
        p()
        >> [a, b]
        >> EmptyOperator(task_id="j", trigger_rule="none_failed_min_one_success")
        >> EmptyOperator(task_id="k")
    )
