from airflow.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):

    @task.branch
    def p(dag_run=None):
        return dag_run.conf["go"]

    (
        p()
        >> [EmptyOperator(task_id="a"), EmptyOperator(task_id="b")]
        >> EmptyOperator(task_id="j", trigger_rule="one_success")
    )
