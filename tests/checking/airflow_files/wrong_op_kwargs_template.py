from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

with DAG("d"):
    PythonOperator(task_id="a", python_callable=print, op_kwargs={"x": ["{{ dss }}"]})  # error: undefined-name
