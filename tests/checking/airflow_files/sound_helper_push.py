from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator


def push(ti, k):
    ti.xcom_push(k, 1)


def a(**kw):
    push(kw["ti"], "n")


def c():
    from airflow.sdk import get_current_context

    push(get_current_context()["ti"], "m")


with DAG("d"):
    x = PythonOperator(task_id="a", python_callable=a)
    y = PythonOperator(task_id="c", python_callable=c)
    [x, y] >> BashOperator(
        task_id="b",
        bash_command="echo {{ ti.xcom_pull(task_ids='a', key='n') }} {{ ti.xcom_pull(task_ids='c', key='m') }}",
    )
