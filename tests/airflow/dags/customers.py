"""Airflow 2: a factory that makes one DAG a customer, found by their global names."""

from datetime import datetime

from airflow import DAG
from airflow.models.baseoperator import chain
from airflow.operators.python import PythonOperator

CUSTOMERS = {"acme": "@daily", "globex": "0 */4 * * *"}


def create_dag(dag_id, schedule, customer, default_args):
    def hello(**_):
        return f"{customer} on {schedule}"

    dag = DAG(dag_id, schedule_interval=schedule, default_args=default_args, catchup=False)
    with dag:
        chain(
            PythonOperator(task_id="hello", python_callable=hello),
            [PythonOperator(task_id=f"part_{n}", python_callable=lambda: None) for n in range(2)],
            PythonOperator(task_id="bye", python_callable=hello),
        )
    return dag


for customer, schedule in CUSTOMERS.items():
    dag_id = f"customer_{customer}"
    globals()[dag_id] = create_dag(dag_id, schedule, customer, {"start_date": datetime(2022, 1, 1)})
