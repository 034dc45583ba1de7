"""Airflow 2: a DAG in a time zone of its own by pendulum, dates moved in Python and in templates."""

import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

local_tz = pendulum.timezone("Europe/Amsterdam")


def window(execution_date, data_interval_end, **_):
    start = execution_date.in_timezone(local_tz).start_of("month")
    return [
        start.to_date_string(),
        start.add(months=1).subtract(days=1).to_date_string(),
        data_interval_end.format("YYYY/MM/DD HH:mm"),
        pendulum.parse("2026-01-01").diff(execution_date).in_days(),
    ]


with DAG(
    dag_id="amsterdam",
    schedule_interval="0 6 * * *",
    start_date=pendulum.datetime(2025, 12, 1, tz="Europe/Amsterdam"),
    end_date=pendulum.now("UTC").add(years=1),
    catchup=False,
    dagrun_timeout=pendulum.duration(hours=2),
    user_defined_macros={"quarter": lambda moment: (moment.month + 2) // 3},
) as dag:
    PythonOperator(task_id="window", python_callable=window)
    BashOperator(
        task_id="templates",
        bash_command="echo {{ execution_date.subtract(days=1).to_date_string() }} {{ yesterday_ds }}"
        " {{ tomorrow_ds_nodash }} {{ logical_date | ds }} Q{{ quarter(logical_date) }}",
    )
