"""Airflow 2: a class that builds the DAG, partials as callables, static methods, timezone helpers, log of the ti."""

import functools
from datetime import datetime, timedelta

from airflow import DAG, AirflowException
from airflow.models import TaskInstance
from airflow.operators.python import PythonOperator
from airflow.utils import timezone
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType


class Pipeline:
    steps = ("extract", "transform", "load")

    def __init__(self, name, schedule):
        self.dag = DAG(
            name,
            schedule_interval=schedule,
            start_date=timezone.datetime(2023, 1, 1),
            default_args={"on_success_callback": [self.on_success], "on_retry_callback": self.on_retry},
            on_success_callback=self.on_dag,
            catchup=False,
        )
        self.seen = []

    def build(self):
        before = None
        for number, step in enumerate(self.steps):
            method = functools.partial(getattr(self, step), number)
            task = PythonOperator(task_id=step, python_callable=method, dag=self.dag, retries=1, retry_delay=timedelta(minutes=1))
            if before is not None:
                task.set_upstream(before)
            before = task
        return self.dag

    @staticmethod
    def extract(number, *, ti: TaskInstance, **_):
        ti.log.info("step %s", number)
        if ti.try_number == 1:
            raise AirflowException("the source is not ready")
        return list(range(3))

    def transform(self, number, ti, **context):
        rows = ti.xcom_pull(task_ids=context["task"].upstream_task_ids)
        assert isinstance(context["dag_run"].logical_date, datetime)
        assert context["dag_run"].run_type == DagRunType.MANUAL
        return [row * 10 for row in rows[0]]

    def load(self, number, ti, run_id, **_):
        return {"rows": ti.xcom_pull("transform"), "step": number, "run": run_id, "at": timezone.is_localized(timezone.utcnow())}

    def on_success(self, context):
        self.seen.append((context["ti"].task_id, "success"))

    def on_retry(self, context):
        self.seen.append((context["ti"].task_id, "retry"))

    def on_dag(self, context):
        self.seen.append((context["dag_run"].dag_id, "dag"))


pipeline = Pipeline("etl_classes", "@daily")
dag = pipeline.build()
assert DagRunState.SUCCESS == "success"
