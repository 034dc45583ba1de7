"""Airflow 2: sensors in every mode before the work, one of them of one's own."""

from datetime import datetime, timedelta
from pathlib import Path

from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sensors.base import BaseSensorOperator
from airflow.sensors.python import PythonSensor
from airflow.sensors.time_delta import TimeDeltaSensor
from airflow.utils.decorators import apply_defaults

HERE = Path(__file__).parent


class SizeSensor(BaseSensorOperator):
    template_fields = ("filepath",)
    ui_color = "#aabbcc"

    @apply_defaults
    def __init__(self, filepath, at_least, *args, **kwargs):
        super(SizeSensor, self).__init__(*args, **kwargs)
        self.filepath = filepath
        self.at_least = at_least
        self.looks = 0

    def poke(self, context):
        self.looks += 1
        self.log.info("Poking for %s", self.filepath)
        return self.looks > 2 and Path(self.filepath).stat().st_size >= self.at_least


with DAG(
    "waits_for_files",
    start_date=datetime(2022, 1, 1),
    schedule_interval=timedelta(hours=6),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=5),
) as dag:
    there = FileSensor(task_id="there", filepath=str(HERE / "waits_for_files.py"), fs_conn_id="fs_default", poke_interval=30, mode="reschedule")
    big = SizeSensor(task_id="big", filepath="{{ params.folder }}/waits_for_files.py", at_least=100, poke_interval=60, timeout=60 * 60, params={"folder": str(HERE)})
    later = TimeDeltaSensor(task_id="later", delta=timedelta(minutes=5))
    never = PythonSensor(task_id="never", python_callable=lambda: False, poke_interval=60, timeout=300, soft_fail=True, exponential_backoff=True)
    work = PythonOperator(task_id="work", python_callable=lambda: "worked", trigger_rule="none_failed_min_one_success")
    [there, big, later, never] >> work
