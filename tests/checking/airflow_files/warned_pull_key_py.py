from airflow.sdk import DAG, task

with DAG("d"):

    @task
    def a():
        return 1

    @task
    def b(ti=None):
        return ti.xcom_pull(task_ids="a", key="sum")

    a() >> b()  # warning: xcom-key
