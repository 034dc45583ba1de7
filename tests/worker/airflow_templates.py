"""What Airflow itself renders of each context variable, macro and filter: `airflow_templates.json` is made by this.

    python tests/worker/airflow_templates.py > tests/worker/airflow_templates.json

in an environment that has `apache-airflow==3.3.2` and a migrated `AIRFLOW_HOME`. One DAG for each kind of
timetable, each kind of run that `dag.test()` makes; an answer is the rendered text, or null for a template
that fails. It stands alone where all of these agree. Moments that a clock gives are not asked for.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

Answers = dict[str, str | None]

DATE = datetime(2026, 3, 5, 7, 30, 15, 250, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)

VALUES = (
    "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "logical_date", "data_interval_start", "data_interval_end",
    "dag_run.logical_date", "dag_run.data_interval_start", "dag_run.data_interval_end", "dag_run.dag_id == dag.dag_id", "dag_run.conf",
    "dag_run.run_type", "dag_run.run_type.value", "dag_run.run_type == 'manual'", "dag_run.run_type | upper", "dag_run.run_type ~ '!'",
    "dag_run.run_type in ('manual',)", "dag_run.end_date", "dag_run.partition_key", "dag_run.state",
    "dag_run.state.value", "dag_run.state.name", "ti.state.value", "ti.state == 'running'", "task.trigger_rule.value", "task.weight_rule.value",
    "{'run': dag_run.run_type} | tojson", "{'now': ti.state} | tojson",
    "dag.start_date", "dag.catchup", "dag.tags", "dag.max_active_runs", "dag.description", "dag.task_ids",
    "task.task_id", "task.trigger_rule", "task.trigger_rule == 'all_success'", "task.weight_rule", "task.owner", "task.retries", "task.retry_delay",
    "task.pool", "task.queue", "task.priority_weight", "task.depends_on_past", "task.task_type", "task.upstream_task_ids",
    "ti.task_id", "ti.dag_id == dag.dag_id", "ti.try_number", "ti.map_index", "ti.max_tries", "ti.state", "ti.is_mapped", "ti.run_id == run_id", "ti == task_instance",
    "ti.xcom_pull('nobody')", "ti.xcom_pull('nobody', default=3)", "try_number", "expanded_ti_count", "task_reschedule_count", "map_index_template",
    "params", "params.n", "params['s']", "params.missing", "var.value.nothing", "var.value.get('nothing', 'd')", "var.json.get('nothing', 'd')",
    "var.value.v", "var.json.j.k", "conn.c.host", "conn.c.port", "conn.get('c').login", "conn.get('nothing', 'd')", "conn.nothing",
    "inlets", "outlets", "inlet_events", "test_mode", "templates_dict", "triggering_asset_events", "partition_key", "partition_date",
    "prev_data_interval_start_success", "prev_data_interval_end_success", "prev_start_date_success", "prev_end_date_success",
    "execution_date", "next_ds", "prev_ds", "tomorrow_ds", "yesterday_ds", "conf", "reason", "exception", "nonsense",
    "task_instance_key_str == dag.dag_id ~ '__show__' ~ (ds_nodash | default(run_id))", "run_id is string", "dag_run.run_id == run_id", "dag_run.start_date is none", "dag_run.run_after is none", "dag_run.run_after == logical_date",
    "logical_date | ds", "logical_date | ds_nodash", "logical_date | ts", "logical_date | ts_nodash", "logical_date | ts_nodash_with_tz", "none | ds",
    "macros.ds_add('2026-02-27', 3)", "macros.ds_add('2026-02-27', -60)", "macros.ds_format('2026-02-27', '%Y-%m-%d', '%d.%m.%y')",
    "macros.ds_format_locale('2026-02-27', '%Y-%m-%d', 'EEEE', 'yyyy')", "macros.datetime(2026, 1, 2)", "macros.timedelta(days=2)",
    "macros.dateutil.parser.parse('2026-01-02')", "macros.json.dumps({'a': 1})", "macros.yaml.safe_load('a: 1')", "macros.time.gmtime(0).tm_year",
    "macros.uuid.UUID(int=5)", "macros.random() < 1", "macros.datetime_diff_for_humans(macros.datetime(2026, 1, 2), macros.datetime(2026, 1, 5))",
    "logical_date + macros.timedelta(days=1)", "(logical_date - macros.timedelta(hours=8)) | ds", "logical_date.add(days=1)", "logical_date.strftime('%j')",
    "data_interval_end - data_interval_start", "data_interval_start.int_timestamp", "data_interval_start.in_timezone('Asia/Kolkata')",
)  # fmt: skip


def dags(sdk: Any) -> dict[str, Any]:
    """A schedule for each kind of timetable; `sdk` is where its names are."""
    daily = {"timezone": "Europe/Berlin"}
    hours = sdk.timedelta(hours=6)
    return {
        "none": None,
        "cron_trigger": sdk.CronTriggerTimetable("30 4 * * *", **daily),
        "cron_trigger_interval": sdk.CronTriggerTimetable("30 4 * * *", **daily, interval=sdk.timedelta(days=1)),
        "cron_data_interval": sdk.CronDataIntervalTimetable("30 4 * * *", **daily),
        "delta_trigger": sdk.DeltaTriggerTimetable(hours),
        "delta_data_interval": sdk.DeltaDataIntervalTimetable(hours),
        "events": sdk.EventsTimetable([datetime(2026, month, 3, tzinfo=UTC) for month in range(1, 7)]),
    }


#: What is given to `dag.test()`, without a date for a run that has none.
RUNS: dict[str, dict[str, Any]] = {"dated": {"logical_date": DATE}, "dateless": {"logical_date": None}}
ENVIRONMENT = {"VAR_V": "text", "VAR_J": '{"k": [1, 2]}', "CONN_C": "http://me:pw@host:81/x"}


def ask() -> dict[str, Answers]:
    """Timetable and run -> what is asked -> the answer."""
    import os
    from datetime import timedelta
    from types import SimpleNamespace

    os.environ |= {f"AIRFLOW_{name}": value for name, value in ENVIRONMENT.items()}
    from airflow import sdk
    from airflow.timetables.events import EventsTimetable  # the SDK's own cannot be serialized in 3.3.2

    names = {name: getattr(sdk, name) for name in dir(sdk)} | {"EventsTimetable": EventsTimetable, "timedelta": timedelta}
    found: dict[str, Answers] = {}
    for kind, schedule in dags(SimpleNamespace(**names)).items():
        for run, given in RUNS.items():
            answers = found[f"{kind}_{run}"] = {}
            told(sdk.DAG, sdk.task, f"{kind}_{run}", schedule, answers).test(**given)
    return found


def joined(found: dict[str, Answers]) -> dict[str, Any]:
    """By what is asked: the one answer, or the answer of each timetable and run."""
    table: dict[str, Any] = {}
    for value in VALUES:
        by_run = {name: answers[value] for name, answers in found.items()}
        table[value] = by_run if len(set(by_run.values())) > 1 else next(iter(by_run.values()))
    return table


def told(dag_class: Any, task: Any, dag_id: str, schedule: Any, answers: Answers) -> Any:
    """The DAG whose only task renders everything by its own means, and notes the answers."""
    with dag_class(dag_id, schedule=schedule, start_date=START, catchup=False, params={"n": 5, "s": "x"}, tags=["t"]) as dag:

        @task
        def show(**context: Any) -> None:
            operator = context["ti"].task
            for value in VALUES:
                try:
                    answers[value] = str(operator.render_template("{{ " + value + " }}", context))
                except Exception:
                    answers[value] = None

        show()
    return dag


if __name__ == "__main__":
    json.dump(joined(ask()), sys.stdout, indent=0)
