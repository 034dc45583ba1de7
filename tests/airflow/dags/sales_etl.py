"""Airflow 2: the ETL that every course begins with, one function per step and XComs pulled by hand."""

from datetime import timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.utils.dates import days_ago

default_args = {
    "owner": "data-engineering",
    "depends_on_past": False,
    "email": ["data@example.com"],
    "email_on_failure": False,
    "email_on_retry": False,
    "retries": 1,
    "retry_delay": timedelta(minutes=5),
}


def extract(**kwargs):
    kwargs["ti"].xcom_push(key="orders", value=[301.27, 433.21, 502.22])


def transform(ti, execution_date, **context):
    orders = ti.xcom_pull(task_ids="extract", key="orders")
    return {"day": execution_date.strftime("%Y-%m-%d"), "total": round(sum(orders), 2)}


def load(**context):
    totals = context["task_instance"].xcom_pull(task_ids="transform")
    return f"{totals['day']} {totals['total']} for {context['ds']}"


with DAG(
    "sales_etl",
    default_args=default_args,
    description="Orders of the day",
    schedule_interval=timedelta(days=1),
    start_date=days_ago(2),
    catchup=False,
    concurrency=4,
    max_active_runs=1,
    default_view="graph",
    orientation="LR",
    tags=["sales"],
) as dag:
    extract_task = PythonOperator(task_id="extract", python_callable=extract, provide_context=True)
    transform_task = PythonOperator(task_id="transform", python_callable=transform, provide_context=True)
    load_task = PythonOperator(task_id="load", python_callable=load, provide_context=True, task_concurrency=1)

    extract_task >> transform_task >> load_task
