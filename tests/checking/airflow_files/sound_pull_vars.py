from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

T = "extract"


def b(ti, x="q"):
    ti.xcom_pull(task_ids=T)
    ti.xcom_pull(task_ids=x)
    ti.xcom_pull(task_ids="other", dag_id="other_dag")
    ti.xcom_pull(key="z")


with DAG("d"):
    PythonOperator(task_id="extract", python_callable=print) >> PythonOperator(task_id="b", python_callable=b)
