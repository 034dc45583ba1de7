"""Airflow 2: callbacks that send mail, as the first page of every company's handbook has them."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.operators.email import EmailOperator
from airflow.operators.python import PythonOperator
from airflow.utils.email import send_email


def notify_failure(context):
    ti = context["task_instance"]
    subject = f"[airflow] {ti.dag_id}.{ti.task_id} failed"
    body = f"run {context['run_id']} on {context['ds']}: {context.get('exception')}<br>log: {ti.log_url}"
    send_email(to=["oncall@example.com", "data@example.com"], subject=subject, html_content=body)


def notify_sla(dag, task_list, blocking_task_list, slas, blocking_tis):
    send_email("oncall@example.com", "late", "late")


def explode():
    raise AirflowException("no rows")


with DAG(
    "paged_mail",
    default_args={
        "owner": "oncall",
        "email": "data@example.com",
        "email_on_failure": False,
        "email_on_retry": False,
        "on_failure_callback": notify_failure,
        "retries": 0,
        "sla": timedelta(hours=2),
    },
    sla_miss_callback=notify_sla,
    schedule="0 6 * * 1-5",
    start_date=datetime(2023, 5, 1),
    catchup=False,
) as dag:
    bad = PythonOperator(task_id="bad", python_callable=explode)
    told = EmailOperator(
        task_id="told",
        to="a@example.com, b@example.com",
        cc=["c@example.com"],
        subject="Report of {{ ds }}",
        html_content="<b>{{ run_id }}</b>",
        trigger_rule="all_done",
    )
    bad >> told
