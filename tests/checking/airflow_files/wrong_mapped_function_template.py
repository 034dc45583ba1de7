from airflow.sdk import DAG, task

with DAG("d"):

    @task
    def a(x, y):
        return x, y

    a.partial(y="{{ dss }}").expand(x=[1, 2])  # error: undefined-name
    a.partial(y=1).expand(x=["{{ dss }}"])  # error: undefined-name
