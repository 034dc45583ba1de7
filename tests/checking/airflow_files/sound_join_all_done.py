from airflow.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):

    @task.branch
    def p(params):
        return ["a"] if params else ["b", "c"]

    x = p()
    for n in "abc":
        x >> EmptyOperator(task_id=n) >> EmptyOperator(task_id="after_" + n)
    x >> EmptyOperator(task_id="z", trigger_rule="all_done")
