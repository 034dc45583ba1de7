from airflow import DAG
from airflow.operators.python_operator import PythonOperator


def b(**context):
    v = context["task_instance"].xcom_pull("extrct")
    return v


d = DAG("d", schedule_interval=None)
PythonOperator(task_id="extract", python_callable=print, dag=d) >> PythonOperator(  # warning: unknown-task
    task_id="b", python_callable=b, dag=d
)
