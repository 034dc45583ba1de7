from airflow.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):

    @task
    def a():
        raise ValueError

    t = a()
    t >> EmptyOperator(task_id="alert", trigger_rule="one_failed")
    t >> EmptyOperator(task_id="ok", trigger_rule="none_failed")
