from airflow.sdk import DAG, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):

    @task
    def a(ti=None):
        for k in ("x", "y"):
            ti.xcom_push(key=k, value=1)

    @task
    def b(ti=None):
        return ti.xcom_pull(task_ids="a", key="x")

    a() >> b()
    BashOperator(task_id="c", bash_command="echo {{ ti.xcom_pull(task_ids='a', key='y') }}")
