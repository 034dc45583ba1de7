"""What Airflow 2 called things that still have one clear meaning."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from flowlet.authoring import spellings
from flowlet.authoring.context import Context
from flowlet.clock import from_micros

_DAG_ARGUMENTS = {
    "schedule_interval": "schedule",
    "timetable": "schedule",
    "concurrency": "max_active_tasks",
    "fail_stop": "fail_fast",
    "default_view": None,
    "orientation": None,
    "full_filepath": None,
}
_TASK_ARGUMENTS = {
    "task_concurrency": "max_active_tis_per_dag",
    "xcom_push": "do_xcom_push",
    "provide_context": None,
}
_TRIGGER_RULES = {
    "dummy": "always",
    "none_failed_or_skipped": "none_failed_min_one_success",
}


def understand() -> None:
    """From now on these are understood, and moments in contexts are pendulum's, or the stand-in's."""
    spellings.DAG_ARGUMENTS.update(_DAG_ARGUMENTS)
    spellings.TASK_ARGUMENTS.update(_TASK_ARGUMENTS)
    spellings.TRIGGER_RULES.update(_TRIGGER_RULES)
    spellings.offer("execution_date", _logical_date)
    spellings.offer("yesterday_ds", lambda context: _day(context, -1))
    spellings.offer("yesterday_ds_nodash", lambda context: _day(context, -1).replace("-", ""))
    spellings.offer("tomorrow_ds", lambda context: _day(context, 1))
    spellings.offer("tomorrow_ds_nodash", lambda context: _day(context, 1).replace("-", ""))
    spellings.offer("conf", _configuration)
    spellings.show_moments_by(_moment)


def _logical_date(context: Context) -> Any:
    return context["logical_date"]


def _day(context: Context, days: int) -> str:
    day: datetime = context["logical_date"] + timedelta(days=days)
    return day.strftime("%Y-%m-%d")


def _configuration(context: Context) -> Any:  # noqa: ARG001  the same for all
    from flowlet.airflow.configuration import conf

    return conf


def _moment(micros: int) -> datetime:
    moment: datetime = import_module("pendulum").instance(from_micros(micros), tz="UTC")
    return moment
