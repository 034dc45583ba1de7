from airflow.sdk import DAG, task
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("d", schedule="@daily", start_date=S, params={"country": "NL"}):

    @task
    def a(params=None):
        return params.get("other") or ("x" in params and params["x"])

    a()
