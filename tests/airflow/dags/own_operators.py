"""Airflow 2: a company's own hook, operator and sensor, as they stand in its plugins."""

from datetime import datetime

from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.hooks.base import BaseHook
from airflow.models import BaseOperator
from airflow.sensors.base import BaseSensorOperator
from airflow.utils.decorators import apply_defaults


class LakeHook(BaseHook):
    def __init__(self, conn_id="lake_default"):
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self):
        connection = self.get_connection(self.conn_id)
        return f"{connection.conn_type}://{connection.host}:{connection.port}/{connection.schema}"


class CopyToLakeOperator(BaseOperator):
    template_fields = ("target",)
    template_ext = (".sql",)
    ui_color = "#ffc107"

    @apply_defaults
    def __init__(self, target, conn_id="lake_default", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.target = target
        self.conn_id = conn_id

    def execute(self, context):
        if not self.target:
            raise AirflowException("no target")
        self.log.info("Copying to %s", self.target)
        return f"{LakeHook(self.conn_id).get_conn()}/{self.target}"


class PartitionSensor(BaseSensorOperator):
    template_fields = ("partition",)

    def __init__(self, *, partition, **kwargs):
        super().__init__(**kwargs)
        self.partition = partition
        self.looks = 0

    def poke(self, context):
        self.looks += 1
        return self.looks >= 3 and self.partition == context["ds"]


with DAG(
    "own_operators",
    start_date=datetime(2021, 1, 1),
    schedule_interval="@daily",
    default_args={"conn_id": "lake"},
    catchup=False,
) as dag:
    wait = PartitionSensor(task_id="wait", partition="{{ ds }}", poke_interval=30, timeout=60 * 60)
    wait >> CopyToLakeOperator(task_id="copy", target="raw/{{ ds }}")
