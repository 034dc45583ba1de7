"""`flowlet dags`: from the specs on file, without importing a DAG's code."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowlet.cli import arguments, exits, owner, reading, render
from flowlet.clock import SystemClock

if TYPE_CHECKING:
    from flowlet.authoring.spec import DagSpec, TaskSpec
    from flowlet.store import Reader


def list_(args: argparse.Namespace) -> int:
    """All DAGs: schedule, next due moment, last run."""
    with reading.reading(args) as reader:
        shapes = [_line(reader, dag) for dag in reading.dags(reader)]
    if args.json:
        render.json_(shapes)
        return exits.OK
    render.table(
        ("DAG", "SCHEDULE", "NEXT DUE", "TASKS", "LAST RUN", "STATE", "FILE"),
        [
            (
                shape["dag_id"],
                shape["schedule"],
                "paused" if shape["paused"] else _brief(shape["next_due"]),
                shape["tasks"],
                shape["last_run"],
                shape["last_state"],
                shape["file"],
            )
            for shape in shapes
        ],
        empty=f"no DAGs in {arguments.database(args)} yet",
    )
    return exits.OK


def _line(reader: Reader, dag: reading.Dag) -> dict[str, Any]:
    spec = dag.spec
    newest = reading.last_runs(reader, dag.dag_id, 1)
    return {
        "dag_id": dag.dag_id,
        "paused": bool(dag.paused),
        "schedule": schedule_of(spec),
        "next_due": reading.moment(next_due(dag, spec)),
        "tasks": len(spec.tasks),
        "last_run": newest[0].run_id if newest else None,
        "last_state": newest[0].state if newest else None,
        "file": dag.file,
    }


def show(args: argparse.Namespace) -> int:
    """One DAG: what it is, when it is due, its tasks in topological order."""
    with reading.reading(args) as reader:
        dag = reading.dag(reader, args.dag_id)
        last = reading.last_runs(reader, dag.dag_id, 5)
    spec = dag.spec
    shape = {**_facts(dag, spec), "tasks": [_task(spec, task) for task in spec.tasks]}
    shape["last_runs"] = [{"run_id": run.run_id, "state": run.state} for run in last]
    if args.json:
        render.json_(shape)
        return exits.OK
    render.pairs({**shape, "next_due": _brief(shape["next_due"]), "params": _as_json(spec), "tasks": None, "last_runs": None})
    render.heading(render.plural(len(spec.tasks), "task"))
    render.table(
        ("TASK", "OPERATOR", "AFTER", "TRIGGER RULE", "RETRIES", "POOL"),
        [
            (
                task["task_id"],
                task["operator"],
                task["upstream"],
                task["trigger_rule"],
                task["retries"],
                task["pool"],
            )
            for task in shape["tasks"]
        ],
    )
    if last:
        render.heading("last runs")
        render.table(("RUN", "STATE"), [(run.run_id, run.state) for run in last])
    return exits.OK


def _as_json(spec: DagSpec) -> str | None:
    import json

    return json.dumps(dict(spec.params), ensure_ascii=False) if spec.params else None


def _facts(dag: reading.Dag, spec: DagSpec) -> dict[str, Any]:
    return {
        "dag_id": dag.dag_id,
        "description": spec.description,
        "paused": bool(dag.paused),
        "schedule": schedule_of(spec),
        "next_due": reading.moment(next_due(dag, spec)),
        "start_date": reading.moment(spec.start_date),
        "end_date": reading.moment(spec.end_date),
        "catchup": spec.catchup,
        "max_active_runs": spec.max_active_runs,
        "max_active_tasks": spec.max_active_tasks,
        "owner": spec.owner,
        "tags": list(spec.tags),
        "params": dict(spec.params) or None,
        "file": dag.file if spec.line is None else f"{dag.file}:{spec.line}",
    }


def _task(spec: DagSpec, task: TaskSpec) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "operator": task.operator,
        "upstream": [spec.tasks[index].task_id for index in task.upstream],
        "downstream": [spec.tasks[index].task_id for index in task.downstream],
        "trigger_rule": task.trigger_rule,
        "retries": task.retries,
        "pool": task.pool,
        "priority_weight": task.priority_weight,
    }


def pause(args: argparse.Namespace) -> int:
    """No more scheduled runs."""
    return _set_paused(args, paused=True)


def unpause(args: argparse.Namespace) -> int:
    """Scheduled runs again, from now on."""
    return _set_paused(args, paused=False)


def _set_paused(args: argparse.Namespace, *, paused: bool) -> int:
    verb, dag_id = ("pause" if paused else "unpause"), args.dag_id
    owner.ask(
        arguments.existing_database(args),
        verb,
        {"dag_id": dag_id},
        lambda engine: getattr(engine, verb)(dag_id),
    )
    if args.json:
        render.json_({"dag_id": dag_id, "paused": paused})
    else:
        print(f"{dag_id} is {'paused' if paused else 'active'}")
    return exits.OK


def schedule_of(spec: DagSpec) -> str | None:
    """The schedule in words; None if only triggers make runs."""
    from flowlet.timetables import NullTimetable, timetable_from_spec

    timetable = timetable_from_spec(spec.timetable)
    return None if type(timetable) is NullTimetable else timetable.description


def next_due(dag: reading.Dag, spec: DagSpec) -> int | None:
    """When the schedule is due next, from its cursor on; it may be past when no scheduler runs. None, too, for a
    timetable that only the DAG's own process can evaluate."""
    from flowlet.scheduler.ticks import Schedule

    if not spec.timetable or dag.paused:
        return None
    cursor = dag.cursor if dag.cursor is not None else SystemClock().now()
    schedule = Schedule.of(spec)
    return schedule.next_after(cursor) if schedule.can_tell else None


def _brief(moment: str | None) -> str | None:
    return None if moment is None else f"{moment[:19].replace('T', ' ')}Z"
