"""Airflow 2: a DAG described by a dict (elsewhere YAML), with helpers from a module beside it."""

from airflow import DAG
from airflow.utils import timezone
from airflow.utils.helpers import chain
from shared_helpers import Steps

CONFIG = {
    "id": "from_config",
    "schedule": "0 0 * * MON",
    "steps": {"unload": "echo $STEP", "copy": "echo $STEP {{ run_id }}", "vacuum": "exit 99"},
}

dag = DAG(
    CONFIG["id"],
    schedule_interval=CONFIG["schedule"],
    start_date=timezone.datetime(2021, 1, 1),
    is_paused_upon_creation=False,
)
with dag:
    steps = Steps()
    chain(*[steps.step(name, command) for name, command in CONFIG["steps"].items()])
