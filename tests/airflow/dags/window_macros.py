"""Airflow 2: templates full of dates, macros, filters and parameters of one's own."""

from datetime import datetime

import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

local_tz = pendulum.timezone("Europe/Berlin")


def year_of(day):
    return day[:4]


def show(templates_dict, **_):
    return templates_dict


with DAG(
    dag_id="window_macros",
    start_date=datetime(2023, 1, 1, tzinfo=local_tz),
    schedule_interval="0 0 * * *",
    catchup=False,
    user_defined_macros={"year_of": year_of, "bucket": "s3://lake"},
    user_defined_filters={"shout": lambda text: text.upper()},
    params={"limit": 10, "names": ["x", "y"]},
    render_template_as_native_obj=False,
    jinja_environment_kwargs={"trim_blocks": True},
) as dag:
    path = BashOperator(
        task_id="path",
        bash_command="echo {{ bucket }}/{{ year_of(ds) }}/{{ macros.ds_format(ds, '%Y-%m-%d', '%m') }}/{{ 'part' | shout }}",
    )
    window = BashOperator(
        task_id="window",
        bash_command="echo {{ yesterday_ds }} {{ ds }} {{ tomorrow_ds }} {{ data_interval_end | ds_nodash }} {{ (execution_date - macros.timedelta(days=1)).strftime('%d.%m.%Y') }}",
    )
    sql = PythonOperator(
        task_id="sql",
        python_callable=show,
        templates_dict={
            "query": """
                {% for name in params.names %}
                SELECT {{ name }} LIMIT {{ params.limit }};
                {% endfor %}
            """,
            "pulled": "{{ ti.xcom_pull(task_ids='path') }}",
            "conf": "{{ dag_run.conf.get('who', 'nobody') }}",
            "next": "{{ execution_date.add(days=1).to_date_string() }}",
        },
    )
    [path, window] >> sql
