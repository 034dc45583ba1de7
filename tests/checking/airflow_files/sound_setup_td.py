from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    a = EmptyOperator(task_id="a").as_setup()
    w = EmptyOperator(task_id="w")
    z = EmptyOperator(task_id="z").as_teardown(setups=a)
    a >> w >> z
