"""Airflow 2: retries with callbacks, a skip and a failure that no retry mends, the alert behind."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.operators.python import PythonOperator
from airflow.utils.state import State

CALLED = []


def on_failure(context):
    CALLED.append(("failure", context["task_instance"].task_id, str(context["exception"])))


def on_retry(context):
    CALLED.append(("retry", context["ti"].task_id, context["ti"].try_number))


def flaky(ti):
    if ti.try_number < 3:
        raise ConnectionError("503")
    return ti.try_number


def bad_request():
    raise AirflowFailException("400")


def nothing_new():
    raise AirflowSkipException("nothing new")


with DAG(
    "flaky_api",
    start_date=datetime(2021, 1, 1),
    schedule_interval=None,
    default_args={
        "retries": 4,
        "retry_delay": timedelta(minutes=10),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "on_failure_callback": on_failure,
        "on_retry_callback": on_retry,
    },
) as dag:
    calls = [
        PythonOperator(task_id=function.__name__, python_callable=function)
        for function in (flaky, bad_request, nothing_new)
    ]
    calls >> PythonOperator(
        task_id="alert", python_callable=lambda: State.FAILED, trigger_rule="one_failed", retries=0
    )
