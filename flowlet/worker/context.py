"""The context of an attempt: Airflow's keys (sdk/definitions/context.py), made once per run where they can be.

Keys that hang on a logical date (`ds`, `ts`, `logical_date`, `data_interval_*`, ...) are absent in a run
that has none, so that a template which needs one fails instead of rendering "None".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.authoring import spellings
from flowlet.errors import ParamError
from flowlet.runs.states import RunState, RunType
from flowlet.worker.accessors import CONN, MACROS, VAR
from flowlet.worker.previous import previous_successes
from flowlet.worker.state_stores import AssetStateStores, TaskStateStore, names_assets

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.looking import KnownTaskInstance
    from flowlet.worker.task_instance import RuntimeTaskInstance
    from flowlet.worker.workload import RunFacts, Workload


class ContextDagRun:
    """`dag_run`: what a body may know of its run. Moments are aware datetimes in UTC, or None."""

    __slots__ = ("_run",)

    def __init__(self, run: RunFacts) -> None:
        self._run = run

    @property
    def dag_id(self) -> str:
        return self._run.dag_id

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def run_type(self) -> RunType:
        """A member, for DAGs that ask for its `value` as Airflow 3's need it; it prints as that."""
        return RunType(self._run.run_type)

    def get_task_instances(self, state: str | Collection[str | None] | None = None) -> list[KnownTaskInstance]:
        """How its tasks stand now, on file; all, or those in these states (Airflow 2)."""
        from flowlet.worker.looking import instances_of

        found = instances_of(self.dag_id, self.run_id)
        if state is None:
            return found
        states = {state} if isinstance(state, str) else set(state)
        return [ti for ti in found if ti.state in states]

    def get_task_instance(self, task_id: str, map_index: int = -1) -> KnownTaskInstance | None:
        """One of them, or None."""
        found = self.get_task_instances()
        return next((ti for ti in found if (ti.task_id, ti.map_index) == (task_id, map_index)), None)

    @property
    def external_trigger(self) -> bool:
        """Whether somebody asked for it (Airflow 2)."""
        return self.run_type not in ("scheduled", "backfill")

    @property
    def state(self) -> RunState:
        return RunState.RUNNING

    @property
    def conf(self) -> Mapping[str, Any]:
        """What the run was triggered with. It is the same object for all tasks of the run: do not write it."""
        return self._run.conf

    @property
    def logical_date(self) -> datetime | None:
        return _moment(self._run.logical_date)

    @property
    def execution_date(self) -> datetime | None:
        """Airflow 2's name of the logical date."""
        return self.logical_date

    @property
    def data_interval_start(self) -> datetime | None:
        return _moment(self._run.interval_start)

    @property
    def data_interval_end(self) -> datetime | None:
        return _moment(self._run.interval_end)

    @property
    def partition_key(self) -> str | None:
        """The partition that a scheduled run is about."""
        return self._run.partition[0]

    @property
    def partition_date(self) -> datetime | None:
        """Its moment."""
        return self._run.partition[1]

    @property
    def run_after(self) -> datetime:
        return spellings.moment(self._run.run_after)

    @property
    def start_date(self) -> datetime | None:
        return _moment(self._run.start_date)

    @property
    def end_date(self) -> None:
        """The run is not over."""
        return

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} {self.run_id}>"


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else spellings.moment(micros)


def attempt_context(work: Workload, ti: RuntimeTaskInstance, *, test_mode: bool) -> dict[str, Any]:
    """The context of one attempt, for its body to keep and to write on."""
    run, task = work.run, ti.task
    shared = run_context(run, work.xcoms)
    context = {
        **shared,
        "ti": ti,
        "task_instance": ti,
        "task": task,
        "dag": work.dag,
        "try_number": work.try_number,
        "expanded_ti_count": work.count,
        "params": attempt_params(work, task),
        "map_index_template": task.map_index_template,
        "inlets": list(task.inlets),
        "outlets": list(task.outlets),
        "task_state_store": TaskStateStore(ti),
        "task_instance_key_str": f"{run.dag_id}__{task.task_id}__{shared.get('ds_nodash', run.run_id)}",
    }
    if task.outlets or task.inlets:
        from flowlet.worker.assets import InletEvents, OutletEvents

        if names_assets(task.inlets, task.outlets):
            context["asset_state_store"] = AssetStateStores(ti, task.inlets, task.outlets)
        context["outlet_events"] = OutletEvents(task.outlets)
        context["inlet_events"] = InletEvents(run, task.inlets)
    if test_mode:
        context["test_mode"] = True
    return context


def run_context(run: RunFacts, reader: object = None) -> dict[str, Any]:
    """The part of the context that is the same for all attempts of a run; to be copied, not to be written."""
    cached: dict[str, Any] | None = run.cache.get("context")
    if cached is None:
        cached = run.cache["context"] = _make_run_context(run, reader)
    return cached


def _make_run_context(run: RunFacts, reader: object) -> dict[str, Any]:
    context = {
        "dag_run": ContextDagRun(run),
        "run_id": run.run_id,
        "conn": CONN,
        "var": VAR,
        "macros": MACROS,
        "test_mode": False,
        "expanded_ti_count": None,
        "inlet_events": {},
        "outlet_events": {},
        "triggering_asset_events": {},
        "task_reschedule_count": 0,
        "partition_key": run.partition[0],
        "partition_date": run.partition[1],
        "templates_dict": None,
        **previous_successes(run, reader),
    }
    if run.logical_date is not None:
        context |= _dates(run, run.logical_date)
        for key, make in spellings.CONTEXT.items():
            context[key] = make(context)
    return context


def _dates(run: RunFacts, logical_date: int) -> dict[str, Any]:
    """Airflow's spellings: ts is ISO 8601 with the offset, ts_nodash has neither dashes nor a zone."""
    moment = spellings.moment(logical_date)
    ts = moment.isoformat()
    ds = ts[:10]
    return {
        "logical_date": moment,
        "data_interval_start": _moment(run.interval_start),
        "data_interval_end": _moment(run.interval_end),
        "ds": ds,
        "ds_nodash": ds.replace("-", ""),
        "ts": ts,
        "ts_nodash": moment.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": ts.replace("-", "").replace(":", ""),
    }


def attempt_params(work: Workload, task: BaseOperator) -> dict[str, Any]:
    """DAG <- task <- the run's conf, checked. What the body gets is its own copy."""
    dag_params, conf = work.dag.params, work.run.conf
    if not dag_params and not conf and task.params is None:
        return {}
    return _copied(_merged_params(work, task))


def _merged_params(work: Workload, task: BaseOperator) -> dict[str, Any]:
    """Merged once per run for all tasks that have no params of their own."""
    shared = task.params is None
    cached: dict[str, Any] | None = work.run.cache.get("params") if shared else None
    if cached is not None:
        return cached
    from flowlet.authoring.params import merge_params

    try:
        merged = merge_params(work.dag.params, task.params, work.run.conf)
    except ParamError as problem:
        raise ParamError(f"{problem} (run {work.run.run_id!r} of DAG {work.run.dag_id!r})") from None
    if shared:
        work.run.cache["params"] = merged
    return merged


_FLAT = frozenset({int, str, bool, float, type(None)})


def _copied(params: dict[str, Any]) -> dict[str, Any]:
    if all(type(value) in _FLAT for value in params.values()):
        return params.copy()
    from copy import deepcopy

    return deepcopy(params)
