from airflow.sdk import DAG
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    s = ShortCircuitOperator(task_id="s", python_callable=lambda: False)
    s >> EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="all_skipped")
