"""From operators to data: the DagSpec that the rest of flowlet reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places, topology
from flowlet.authoring.dates import micros
from flowlet.authoring.spec import DagSpec, TaskSpec
from flowlet.clock import span_micros
from flowlet.errors import DagCycle, DagError

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator

Places = tuple[int, ...]
Edges = list[Places]


class Compiled:
    """What follows from a DAG's tasks and edges: made when first asked for, dropped when the DAG changes."""

    __slots__ = ("order", "spec", "upstream")

    def __init__(self, upstream: Edges, order: list[int]) -> None:
        self.upstream = upstream  # by place of definition
        self.order = order  # places of definition in topological order
        self.spec: DagSpec | None = None


def arrange(dag: DAG) -> Compiled:
    """The edges as integers and the order of the tasks. DagCycle names the tasks of a circle."""
    tasks = dag.tasks
    upstream = _upstream_of(tasks)
    order = topology.sort(upstream)
    if order is None:
        circle = [tasks[place].task_id for place in topology.find_circle(upstream)]
        raise DagCycle(
            f"the tasks of DAG {dag.dag_id!r} form a circle: {' >> '.join(_shorten([*circle, circle[0]]))}"
            f" ({places.spell(dag._site)})"
        )
    return Compiled(upstream, order)


def _upstream_of(tasks: list[BaseOperator]) -> Edges:
    place = {task: number for number, task in enumerate(tasks)}
    try:
        return [tuple({place[up] for up in task._up}) if task._up else () for task in tasks]
    except KeyError as stranger:
        (up,) = stranger.args
        down = next(task for task in tasks if up in task._up)
        raise DagError(
            f"task {down.task_id!r} of DAG {down.dag_id!r} comes after {up.task_id!r}, which is not in it"
            f" ({places.spell(up._site)})"
        ) from None


def _shorten(ids: list[str]) -> list[str]:
    return ids if len(ids) <= 24 else [*ids[:12], "...", *ids[-12:]]


def compile_dag(dag: DAG, compiled: Compiled) -> DagSpec:
    """The whole DAG as data."""
    timetable = dag.timetable
    more: dict[str, Any] = {} if timetable is None else {"timetable": timetable.to_spec()}
    return DagSpec(
        dag_id=dag.dag_id,
        tasks=_task_specs(dag, compiled),
        start_date=micros(dag.start_date),
        end_date=micros(dag.end_date),
        catchup=dag.catchup,
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        dagrun_timeout=None if dag.dagrun_timeout is None else span_micros(dag.dagrun_timeout),
        max_consecutive_failed_dag_runs=dag.max_consecutive_failed_dag_runs,
        fail_fast=dag.fail_fast,
        allowed_run_types=dag.allowed_run_types,
        is_paused_upon_creation=bool(dag.is_paused_upon_creation),
        params=dag.params.defaults(),
        tags=tuple(sorted(dag.tags)),
        description=dag.description,
        doc_md=dag.doc_md,
        owner=dag.owner,
        file=dag.fileloc,
        line=dag.line,
        **more,
    )


def _task_specs(dag: DAG, compiled: Compiled) -> tuple[TaskSpec, ...]:
    tasks, upstream, order = dag.tasks, compiled.upstream, compiled.order
    index = [0] * len(order)
    for place, number in enumerate(order):
        index[number] = place
    ups = [tuple(sorted([index[up] for up in upstream[number]])) for number in order]
    downs = topology.reverse(ups)
    specs = tuple(
        task_spec(tasks[number], place, ups[place], tuple(downs[place])) for place, number in enumerate(order)
    )
    _add_mappings(specs, [tasks[number] for number in order])
    if any(spec.is_setup for spec in specs):
        _add_guards(specs)
    return specs


def _add_guards(specs: tuple[TaskSpec, ...]) -> None:
    """Setups that guard tasks from afar, and what teardowns wait for.

    A setup matters to what comes after it as long as its teardown does not come before; one without a
    teardown to all that comes after (Airflow: AbstractOperator.get_upstreams_only_setups). A teardown waits
    for all between (trigger_rule_dep.py `_evaluate_teardown_scope`).
    """
    after = {spec.index: _reached(specs, spec.index, "downstream") for spec in specs if spec.is_setup}
    before = {spec.index: _reached(specs, spec.index, "upstream") for spec in specs if spec.is_teardown}
    for teardown, earlier in before.items():
        ups = specs[teardown].upstream
        between = [earlier & after[up] for up in ups if specs[up].is_setup]
        specs[teardown].scope = tuple(sorted(set().union(*between) - set(ups)))
    for setup, later in after.items():
        teardowns = [down for down in specs[setup].downstream if specs[down].is_teardown]
        inside = later.intersection(set().union(*(before[down] for down in teardowns))) if teardowns else later
        for index in inside:
            spec = specs[index]
            if setup not in spec.upstream and not spec.is_teardown:
                spec.guards = (*spec.guards, setup)


def _reached(specs: tuple[TaskSpec, ...], start: int, direction: str) -> set[int]:
    """All that comes after a task, or before it, however far."""
    found: set[int] = set()
    todo = list(getattr(specs[start], direction))
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo.extend(getattr(specs[index], direction))
    return found


def _add_mappings(specs: tuple[TaskSpec, ...], tasks: list[BaseOperator]) -> None:
    """What mapped tasks, and the tasks of mapped groups, are mapped over."""
    place: dict[BaseOperator, int] = {}
    for spec, task in zip(specs, tasks, strict=True):
        group = None if task._group is None or task._group.is_root else task.mapped_group
        if task.is_mapped or group is not None:
            place = place or {other: number for number, other in enumerate(tasks)}
            over: Any = task.over if group is None else group.mapped_over  # type: ignore[attr-defined]  # a MappedOperator
            spec.mapping = over.lengths(place)
            spec.map_group = None if group is None else group.group_id


# -- one task --------------------------------------------------------------------------------------------


def _multiplier(value: bool | float) -> float:
    return 2.0 if value is True else float(value)


def _weight_rule(value: Any) -> str:
    """A strategy by the path of its class: one of today and one of tomorrow are the same rule."""
    return str(value) if isinstance(value, str) else f"{type(value).__module__}.{type(value).__qualname__}"


def _same(value: Any) -> Any:
    return value


def _moment(value: Any) -> int | None:
    return micros(value)


def _span(value: Any) -> int | None:
    return None if value is None else span_micros(value)


#: An operator's attribute to the spec's field and how it is written there.
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "trigger_rule": ("trigger_rule", str),
    "retries": ("retries", _same),
    "retry_delay": ("retry_delay", _span),
    "retry_exponential_backoff": ("retry_multiplier", _multiplier),
    "max_retry_delay": ("max_retry_delay", _span),
    "execution_timeout": ("execution_timeout", _span),
    "pool": ("pool", _same),
    "pool_slots": ("pool_slots", _same),
    "priority_weight": ("priority_weight", _same),
    "weight_rule": ("weight_rule", _weight_rule),
    "depends_on_past": ("depends_on_past", _same),
    "wait_for_downstream": ("wait_for_downstream", _same),
    "wait_for_past_depends_before_skipping": ("wait_for_past_depends_before_skipping", _same),
    "max_active_tis_per_dag": ("max_active_tis_per_dag", _same),
    "max_active_tis_per_dagrun": ("max_active_tis_per_dagrun", _same),
    "start_date": ("start_date", _moment),
    "end_date": ("end_date", _moment),
    "owner": ("owner", _same),
    "on_crash": ("on_crash", _same),
    "is_setup": ("is_setup", _same),
    "is_teardown": ("is_teardown", _same),
    "on_failure_fail_dagrun": ("on_failure_fail_dagrun", _same),
    "is_map_source": ("is_map_source", _same),
}


def task_spec(task: BaseOperator, index: int, upstream: Places, downstream: Places) -> TaskSpec:
    """One task as data: what its class says, and over it what the instance holds."""
    more = dict(_said_by_class(type(task)))
    for name, value in vars(task).items():
        field = _FIELDS.get(name)
        if field is not None:
            more[field[0]] = field[1](value)
    if task.depends_on_past:
        more["ignore_first_depends_on_past"] = task.ignore_first_depends_on_past
    if task.is_sensor:
        more["sensor"] = task.mode  # type: ignore[attr-defined]  # sensors have one
    if hasattr(type(task), "external_marks"):
        more["marks"] = task.external_marks  # type: ignore[attr-defined]  # it is a marker
    return TaskSpec(
        task_id=task.task_id,
        index=index,
        operator=task.operator_name,
        upstream=upstream,
        downstream=downstream,
        bodyless=task.is_bodyless,
        **more,
    )


def _said_by_class(cls: type[BaseOperator]) -> dict[str, Any]:
    """What a class changes of the defaults of all operators, as the spec writes it; kept on the class."""
    said: dict[str, Any] | None = vars(cls).get("_said_in_spec")
    if said is None:
        from flowlet.authoring.operator import BaseOperator as base  # noqa: N813  a class among classes

        said = {
            field: write(getattr(cls, name))
            for name, (field, write) in _FIELDS.items()
            if getattr(cls, name) is not getattr(base, name)
        }
        cls._said_in_spec = said  # type: ignore[attr-defined]  # read above, from the class itself only
    return said
