from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d", default_args={"trigger_rule": "one_failed"}):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")  # error: unreachable
