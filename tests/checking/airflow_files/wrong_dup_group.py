from airflow.sdk import DAG, TaskGroup

with DAG("d"):
    with TaskGroup("g"):
        pass
    with TaskGroup("g"):  # error: loading
        pass
