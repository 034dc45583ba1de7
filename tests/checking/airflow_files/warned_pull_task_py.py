from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator


def b(ti):
    return ti.xcom_pull(task_ids="extrct")


with DAG("d"):
    PythonOperator(task_id="extract", python_callable=print) >> PythonOperator(task_id="b", python_callable=b)  # warning: unknown-task
