"""Airflow 2: Variables, Connections and the configuration, at the top of the file and in templates."""

from datetime import datetime

from airflow import DAG
from airflow.configuration import conf
from airflow.models import Variable
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

ENVIRONMENT = Variable.get("environment", default_var="dev")
SETTINGS = Variable.get("settings", deserialize_json=True, default_var={})
FOLDER = conf.get("core", "dags_folder", fallback="dags")


def read():
    try:
        Variable.get("surely_not_there")
    except KeyError:
        return [ENVIRONMENT, SETTINGS, FOLDER, Variable.get("absent", "a default")]


with DAG("configured", start_date=datetime(2021, 1, 1), schedule_interval="@once") as dag:
    PythonOperator(task_id="read", python_callable=read)
    BashOperator(
        task_id="render",
        bash_command="echo {{ var.value.environment }} {{ var.json.settings.tables[0] }} {{ conn.warehouse.host }}",
    )
