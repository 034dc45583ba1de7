"""Airflow 2: a hook, an operator and a link of one's own, in the file, as plugins folders have them."""

from datetime import datetime
from typing import Any, Sequence

from airflow import DAG
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.hooks.base import BaseHook
from airflow.models import BaseOperator
from airflow.models.baseoperator import BaseOperatorLink
from airflow.operators.python import PythonOperator
from airflow.plugins_manager import AirflowPlugin
from airflow.utils.log.logging_mixin import LoggingMixin
from airflow.utils.context import Context


class LakeHook(BaseHook):
    conn_name_attr = "lake_conn_id"
    default_conn_name = "lake_default"
    conn_type = "lake"
    hook_name = "Lake"

    def __init__(self, lake_conn_id: str = default_conn_name):
        super().__init__()
        self.lake_conn_id = lake_conn_id

    def get_conn(self):
        conn = self.get_connection(self.lake_conn_id)
        extra = conn.extra_dejson
        return {"url": f"{conn.host}:{conn.port}/{conn.schema}", "zone": extra.get("zone", "raw"), "user": conn.login}


class LakeLink(BaseOperatorLink):
    name = "Lake"

    def get_link(self, operator, *, ti_key):
        return f"https://lake.example/{ti_key.dag_id}"


class Counter(LoggingMixin):
    def count(self, rows):
        self.log.info("counting %d", len(rows))
        return len(rows)


class LoadOperator(BaseOperator):
    """Loads a partition."""

    template_fields: Sequence[str] = ("partition", "options")
    template_fields_renderers = {"options": "json"}
    ui_color = "#e8f7e4"
    operator_extra_links = (LakeLink(),)

    def __init__(self, *, partition: str, options: dict = None, lake_conn_id: str = "lake_default", **kwargs) -> None:
        super().__init__(**kwargs)
        self.partition = partition
        self.options = options or {}
        self.lake_conn_id = lake_conn_id

    def pre_execute(self, context: Any):
        self.started = True

    def execute(self, context: Context):
        if self.options.get("skip") == "yes":
            raise AirflowSkipException("asked to")
        conn = LakeHook(self.lake_conn_id).get_conn()
        if conn["zone"] == "broken":
            raise AirflowFailException("the zone is broken")
        context["ti"].xcom_push(key="user", value=conn["user"])
        return f"{conn['url']}/{conn['zone']}/{self.partition}/{Counter().count(['x'])}"

    def on_kill(self):
        self.log.info("killed")


class LakePlugin(AirflowPlugin):
    name = "lake"
    hooks = [LakeHook]


with DAG("lake_loader", start_date=datetime(2023, 1, 1), schedule_interval=None, default_args={"lake_conn_id": "lake_eu"}) as dag:
    first = LoadOperator(task_id="first", partition="{{ ds_nodash }}", options={"rows": "{{ params.rows }}"}, params={"rows": 5}, retries=2)
    second = LoadOperator(task_id="second", partition="x", options={"skip": "{{ 'yes' if ds else 'no' }}"})
    last = PythonOperator(task_id="last", python_callable=lambda ti: ti.xcom_pull("first", key="user"), trigger_rule="none_failed")
    first >> second >> last
