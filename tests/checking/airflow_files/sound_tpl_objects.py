from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator


class Thing:
    template_fields = ("q",)

    def __init__(self, q):
        self.q = q


with DAG("d"):
    PythonOperator(
        task_id="a", python_callable=print, op_args=[Thing("{{ ds }}")], op_kwargs={"a": {"b": ("{{ ts }}",)}}
    )
