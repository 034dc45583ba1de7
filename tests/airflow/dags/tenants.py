"""Airflow 2: a factory that reads tenants from YAML-like config at the top of the file, and puts its DAGs into globals()."""

import json
import logging
import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.models import Variable
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import PythonOperator, ShortCircuitOperator
from airflow.utils.helpers import chain
from airflow.utils.task_group import TaskGroup

logger = logging.getLogger("airflow.task")

TENANTS = Variable.get("tenants", default_var='{"north": {"schedule": "@daily", "tables": ["a", "b"]}, "south": {"schedule": null, "tables": []}}')
CONFIG = json.loads(TENANTS)
ENV = os.getenv("DEPLOY_ENV", "dev")


def has_tables(tables, **_):
    return len(tables) > 0


def load(tenant, table, ds, **kwargs):
    logger.info("loading %s of %s", table, tenant)
    kwargs["ti"].xcom_push(key="rows", value=len(table) * 10)
    return f"{tenant}.{table}@{ds}"


def report(tables, **context):
    pulled = context["ti"].xcom_pull(task_ids=[f"tables.load_{table}" for table in tables], key="rows")
    return sum(pulled)


def create_dag(dag_id, tenant, settings):
    default_args = {"owner": tenant, "retries": 2, "retry_delay": timedelta(minutes=1), "start_date": datetime(2023, 1, 1)}
    with DAG(
        dag_id,
        schedule_interval=settings["schedule"],
        default_args=default_args,
        catchup=False,
        tags=["tenant", tenant, ENV],
        doc_md=f"### Load of {tenant}",
    ) as dag:
        start = ShortCircuitOperator(task_id="start", python_callable=has_tables, op_kwargs={"tables": settings["tables"]})
        with TaskGroup("tables", tooltip="One task a table") as tables:
            for table in settings["tables"]:
                PythonOperator(task_id=f"load_{table}", python_callable=load, op_kwargs={"tenant": tenant, "table": table})
            if not settings["tables"]:
                EmptyOperator(task_id="nothing")
        end = PythonOperator(task_id="report", python_callable=report, op_args=[settings["tables"]])
        chain(start, tables, end)
    return dag


for tenant, settings in CONFIG.items():
    dag_id = "tenant_{}".format(tenant)
    globals()[dag_id] = create_dag(dag_id, tenant, settings)
