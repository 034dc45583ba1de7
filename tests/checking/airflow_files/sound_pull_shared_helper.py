from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator


def b(ti):
    return ti.xcom_pull(task_ids="one") or ti.xcom_pull(task_ids="two")


with DAG("d1"):
    PythonOperator(task_id="one", python_callable=print) >> PythonOperator(task_id="b", python_callable=b)
with DAG("d2"):
    PythonOperator(task_id="two", python_callable=print) >> PythonOperator(task_id="b", python_callable=b)
