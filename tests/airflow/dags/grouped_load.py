"""Airflow 2: task groups in a loop, labels on edges, a chain of lists."""

from datetime import datetime

from airflow import DAG
from airflow.models.baseoperator import chain, cross_downstream
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import PythonOperator
from airflow.utils.edgemodifier import Label
from airflow.utils.task_group import TaskGroup

with DAG("grouped_load", start_date=datetime(2021, 1, 1), schedule_interval="@weekly", catchup=False) as dag:
    begin, end = DummyOperator(task_id="begin"), DummyOperator(task_id="end")
    groups = []
    for source in ("crm", "erp"):
        with TaskGroup(group_id=source, tooltip=f"All of {source}") as group:
            read = PythonOperator(task_id="read", python_callable=lambda name=source: name)
            with TaskGroup("checks", prefix_group_id=True):
                checks = [DummyOperator(task_id=f"check_{n}") for n in (1, 2)]
            read >> Label("raw") >> checks
        groups.append(group)
    chain(begin, groups, end)
    cross_downstream([begin], [DummyOperator(task_id="audit_1"), DummyOperator(task_id="audit_2")])
