"""DAG: tasks, their edges, and when they run (Airflow: sdk/definitions/dag.py)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Never, Self

from flowlet import settings
from flowlet.authoring import arguments, dates, ids, places, registering, spellings, stack, trigger_rules
from flowlet.authoring.compile import Compiled, arrange, compile_dag
from flowlet.authoring.group import TaskGroup
from flowlet.authoring.params import NOTSET, DagParam, ParamsDict
from flowlet.authoring.running import Runnable
from flowlet.authoring.teardowns import Teardowns
from flowlet.errors import DagError, DuplicateTaskId, ParamError, TaskNotFound

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator
    from flowlet.authoring.spec import DagSpec
    from flowlet.timetables import Timetable


class DAG(Runnable, Teardowns, spellings.Respelt):
    """A description of tasks, their order and their schedule: `with DAG("etl", schedule="@daily"): ...`.

    Arguments are Airflow's. Naive datetimes are read in `FLOWLET__CORE__DEFAULT_TIMEZONE` (default UTC); the
    time zone of `start_date` is the DAG's. Kept for what draws a DAG: description, doc_md, tags, owner_links,
    dag_display_name. Accepted without effect here: access_control, sla_miss_callback,
    disable_bundle_versioning, rerun_with_latest_version. Whatever is wrong raises DagError (or a subclass),
    which names the argument, the DAG and the line.
    """

    @spellings.understood(spellings.DAG_ARGUMENTS)
    def __init__(
        self,
        dag_id: str,
        *,
        description: str | None = None,
        default_args: dict[str, Any] | None = None,
        start_date: datetime | str | None = None,
        end_date: datetime | str | None = None,
        schedule: object = None,
        template_searchpath: str | PathLike[str] | Iterable[str | PathLike[str]] | None = None,
        template_undefined: type | None = None,
        user_defined_macros: dict[str, Any] | None = None,
        user_defined_filters: dict[str, Callable[..., Any]] | None = None,
        max_active_tasks: int | None = None,
        max_active_runs: int | None = None,
        max_consecutive_failed_dag_runs: int | None = None,
        dagrun_timeout: timedelta | float | None = None,
        deadline: Any = None,
        sla_miss_callback: Any = None,
        catchup: bool | None = None,
        on_success_callback: arguments.Callbacks = None,
        on_failure_callback: arguments.Callbacks = None,
        doc_md: str | None = None,
        params: Mapping[str, Any] | None = None,
        access_control: Any = None,
        is_paused_upon_creation: bool | None = None,
        jinja_environment_kwargs: dict[str, Any] | None = None,
        render_template_as_native_obj: bool = False,
        tags: Collection[str] | None = None,
        owner_links: dict[str, str] | None = None,
        auto_register: bool = True,
        fail_fast: bool = False,
        allowed_run_types: Any = None,
        dag_display_name: str | None = None,
        disable_bundle_versioning: bool | None = None,
        rerun_with_latest_version: bool | None = None,
        **unknown: Never,
    ) -> None:
        self._compiled: Compiled | None = None
        self._site = places.site_of(sys._getframe(1))
        self.dag_id = ids.check_id("DAG", dag_id, self._site)
        for name in unknown:
            raise DagError(
                f"DAG {dag_id!r} takes no argument {name!r}{places.nearest(name, _known())} ({self._where})"
            )
        self.description = self._check("description", arguments.optional_text, description)
        self.doc_md = self._check("doc_md", arguments.optional_text, doc_md)
        self.dag_display_name = dag_display_name or self.dag_id
        self.tags = self._check("tags", arguments.tags, tags)
        self.owner_links = self._check("owner_links", arguments.optional_mapping, owner_links) or {}
        self.auto_register = auto_register
        self.access_control = access_control
        self.sla_miss_callback = sla_miss_callback
        if sla_miss_callback is not None:
            places.warn(self._site, "sla_miss_callback has no effect: Airflow 3 has no SLAs")
        self.disable_bundle_versioning = disable_bundle_versioning
        self.rerun_with_latest_version = rerun_with_latest_version
        self.deadline = self._check("deadline", arguments.not_yet, deadline)

        self.template_searchpath: list[str] = self._check(
            "template_searchpath", arguments.folders, template_searchpath
        )
        self.template_undefined = template_undefined
        mapping = arguments.optional_mapping
        self.user_defined_macros = self._check("user_defined_macros", mapping, user_defined_macros)
        self.user_defined_filters = self._check("user_defined_filters", mapping, user_defined_filters)
        self.jinja_environment_kwargs = self._check("jinja_environment_kwargs", mapping, jinja_environment_kwargs)
        self.render_template_as_native_obj = render_template_as_native_obj

        self.task_dict: dict[str, BaseOperator] = {}
        self.edge_info: dict[str, dict[str, dict[str, Any]]] = {}
        self._groups: dict[str, TaskGroup] = {}
        self._suffixes: dict[str, int] = {}  # the largest number of ids like load__3, by what it is of
        self._group_suffixes: dict[str, int] = {}  # the same for groups
        self.default_args = dict(self._check("default_args", arguments.optional_mapping, default_args) or {})
        self._read_dates(start_date, end_date)
        self.task_group = TaskGroup.root_of(self, self.default_args)
        self.params = ParamsDict(self._all_params(params), owner=f"DAG {self.dag_id!r}", site=self._site)

        self.fail_fast = fail_fast
        self.is_paused_upon_creation = is_paused_upon_creation
        check = arguments.callbacks
        self.on_success_callback = self._check("on_success_callback", check, on_success_callback)
        self.on_failure_callback = self._check("on_failure_callback", check, on_failure_callback)
        self.dagrun_timeout = self._check("dagrun_timeout", arguments.optional_duration, dagrun_timeout)
        if catchup is None:
            catchup = settings.get_bool("scheduler", "catchup_by_default", False)
        self.catchup = bool(catchup)
        self.max_active_tasks = self._limit("max_active_tasks", max_active_tasks, default=16, least=1)
        self.max_active_runs = self._limit("max_active_runs", max_active_runs, default=16, least=1)
        self.max_consecutive_failed_dag_runs = self._limit(
            "max_consecutive_failed_dag_runs", max_consecutive_failed_dag_runs, default=0, least=0
        )
        self._read_schedule(schedule, max_active_runs)
        self.allowed_run_types = self._check("allowed_run_types", self._run_types, allowed_run_types)

    # -- reading the arguments ------------------------------------------------------------------------

    def _check(self, name: str, check: Callable[[Any], Any], value: Any) -> Any:
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise self._refuse(f"{name} {error}") from None

    def _limit(self, name: str, value: int | None, *, default: int, least: int) -> int:
        """A number, or what `FLOWLET__CORE__<NAME>_PER_DAG` says (Airflow's settings of these names)."""
        if value is None:
            return settings.get_int("core", f"{name}_per_dag", default, at_least=least)
        return int(self._check(name, lambda number: arguments.whole(number, least), value))

    def _refuse(self, what: str) -> DagError:
        return DagError(f"DAG {self.dag_id!r}: {what} ({self._where})")

    @property
    def _where(self) -> str:
        return places.spell(self._site)

    def _read_dates(self, start: datetime | str | None, end: datetime | str | None) -> None:
        """The time zone of start_date is the DAG's; naive moments are read in it."""
        start = start if start is not None else self.default_args.get("start_date")
        end = end if end is not None else self.default_args.get("end_date")
        zone = self._check("the default time zone:", dates.zone_of, dates.default_timezone())
        self.start_date = None if start is None else self._moment("start_date", start, zone)
        if self.start_date is not None and self.start_date.tzinfo is not None:
            zone = self.start_date.tzinfo
        self.end_date = None if end is None else self._moment("end_date", end, zone)
        self.timezone = zone
        self.timezone_name: str = self._check("start_date:", dates.name_of, zone)
        if self.start_date is not None and self.end_date is not None and self.end_date < self.start_date:
            raise self._refuse(f"end_date {self.end_date} is before start_date {self.start_date}")

    def _moment(self, name: str, moment: object, zone: Any) -> datetime:
        aware: datetime = self._check(name, lambda value: dates.aware(value, zone), moment)
        return aware

    def _all_params(self, params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """`default_args={"params": ...}` come under the DAG's own (as in Airflow)."""
        outer = self.default_args.pop("params", None)
        return {**outer, **(params or {})} if outer else params

    def _read_schedule(self, schedule: object, max_active_runs: int | None) -> None:
        self.schedule = schedule
        self.timetable: Timetable | None = None
        if schedule is None:
            return
        from flowlet.timetables import timetable_for

        where = f"DAG {self.dag_id!r}, {self._where}"
        self.timetable = timetable_for(schedule, timezone=self.timezone_name, where=where)
        if self.timetable.description.startswith("Asset"):
            self._warn_of_assets()
        limit = self.timetable.active_runs_limit
        if limit is not None:
            if max_active_runs is not None and self.max_active_runs > limit:
                said = "one at a time" if limit == 1 else f"at most {limit} at a time"
                raise self._refuse(f"schedule {self.timetable.description!r} runs {said}, not {max_active_runs}")
            self.max_active_runs = limit
        self._check_params()

    def _check_params(self) -> None:
        """Nobody is there to give a scheduled run its values (Airflow: DAG.validate)."""
        if self.timetable is None or not self.timetable.can_be_scheduled:
            return
        try:
            self.params.validate()
        except ParamError as error:
            raise self._refuse(f"a DAG with a schedule needs valid defaults: {error}") from None

    def _run_types(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        from flowlet.authoring.run_types import allowed

        return allowed(value, self.timetable)

    def _warn_of_assets(self) -> None:
        """Nobody shall wait for runs that do not come."""
        places.warn(
            self._site,
            f"DAG {self.dag_id!r} is scheduled by assets: this version of flowlet makes no runs by asset events, trigger them",
        )

    # -- tasks ----------------------------------------------------------------------------------------

    def add_task(self, task: BaseOperator) -> None:
        """Take a task in; it joins the open group of this DAG, or the root group."""
        if task._dag is self:
            return
        if task._dag is not None:
            raise self._refuse(f"task {task.task_id!r} is already in DAG {task._dag.dag_id!r}")
        home = stack.home(self, None)
        assert home is not None  # noqa: S101  a DAG has a root group
        home.add(task)

    def add_tasks(self, tasks: Iterable[BaseOperator]) -> None:
        """Take several tasks in."""
        for task in tasks:
            self.add_task(task)

    def _register(self, task: BaseOperator) -> None:
        """Enter a task under its full id."""
        task_id = task.task_id
        other = self.task_dict.get(task_id) or self._groups.get(task_id)
        if other is not None:
            raise DuplicateTaskId(
                f"the id {task_id!r} is taken in DAG {self.dag_id!r}: first by {other!r}"
                f" ({places.spell(other._site)}), again by a {type(task).__name__}"
                f" ({places.spell(task._site)})"
            )
        self.task_dict[task_id] = task
        object.__setattr__(task, "_dag", self)
        if "__" in task_id:
            base, number = ids.split_number(task_id)
            self._suffixes[base] = max(number, self._suffixes.get(base, 0))
        if self._compiled is not None:
            self._compiled = None

    @property
    def tasks(self) -> list[BaseOperator]:
        """The tasks, in the order of definition."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """Their ids."""
        return list(self.task_dict)

    @property
    def task_group_dict(self) -> dict[str, TaskGroup]:
        """The groups by full id."""
        return dict(self._groups)

    def has_task(self, task_id: str) -> bool:
        """Whether there is a task of that id."""
        return task_id in self.task_dict

    def has_task_group(self, group_id: str) -> bool:
        """Whether there is a group of that id."""
        return group_id in self._groups

    def get_task(self, task_id: str) -> BaseOperator:
        """The task of that id; TaskNotFound if there is none."""
        try:
            return self.task_dict[task_id]
        except KeyError:
            near = places.nearest(str(task_id), self.task_dict)
            raise TaskNotFound(f"DAG {self.dag_id!r} has no task {task_id!r}{near}") from None

    @property
    def roots(self) -> list[BaseOperator]:
        """The tasks that nothing comes before."""
        return [task for task in self.tasks if not task._up]

    @property
    def leaves(self) -> list[BaseOperator]:
        """The tasks that nothing comes after."""
        return [task for task in self.tasks if not task._down]

    def topological_sort(self) -> Sequence[BaseOperator]:
        """The tasks, each after those before it, else in the order of definition. DagCycle."""
        tasks = self.tasks
        return tuple(tasks[place] for place in self._arranged().order)

    def check_cycle(self) -> None:
        """DagCycle if the edges form a circle."""
        self._arranged()

    def set_dependency(self, upstream_task_id: str, downstream_task_id: str) -> None:
        """An edge between two tasks by their ids."""
        self.get_task(upstream_task_id).set_downstream(self.get_task(downstream_task_id))

    def set_edge_info(self, upstream_task_id: str, downstream_task_id: str, info: dict[str, Any]) -> None:
        """Keep what a Label says of an edge."""
        self.edge_info.setdefault(upstream_task_id, {})[downstream_task_id] = info

    def get_edge_info(self, upstream_task_id: str, downstream_task_id: str) -> dict[str, Any]:
        """What a Label said of an edge."""
        return self.edge_info.get(upstream_task_id, {}).get(downstream_task_id, {})

    def param(self, name: str, default: Any = NOTSET) -> DagParam:
        """The run's value of a param, as an argument for a task; a default (or a Param) declares it."""
        if default is not NOTSET:
            self.params[name] = default
        return DagParam(name)

    # -- as data --------------------------------------------------------------------------------------

    def _arranged(self) -> Compiled:
        if self._compiled is None:
            self._compiled = arrange(self)
        return self._compiled

    @property
    def spec(self) -> DagSpec:
        """The DAG as data, checked. Kept until a task, an edge or an attribute of the DAG changes."""
        compiled = self._arranged()
        if compiled.spec is None:
            self._check_rules()
            compiled.spec = compile_dag(self, compiled)
        return compiled.spec

    def _check_rules(self) -> None:
        self._check_params()
        trigger_rules.check(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_compiled":
            object.__setattr__(self, "_compiled", None)
        object.__setattr__(self, name, value)

    @property
    def owner(self) -> str:
        """The owners of its tasks."""
        return ", ".join(sorted({task.owner for task in self.task_dict.values()})) or "airflow"

    @property
    def fileloc(self) -> str | None:
        """The file in which it was written."""
        return None if self._site is None else self._site[0].co_filename

    @property
    def line(self) -> int | None:
        """The line in that file."""
        return None if self._site is None else places.line_of(self._site)

    @property
    def folder(self) -> str:
        """The folder of that file."""
        return (self.fileloc or "").rpartition("/")[0]

    # -- describing -----------------------------------------------------------------------

    def __enter__(self) -> Self:
        stack.push(self.task_group)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        stack.pop()
        is_collected = kind is None and self.auto_register and registering.found(self)
        if kind is None and not is_collected:  # whoever collects a file's DAGs checks them, and tells of all
            self.check_cycle()
            self._check_rules()

    @property
    def task(self) -> Callable[..., Any]:
        """`@dag.task` is `@task(dag=dag)`: a function as a task of this DAG, outside of its `with`."""
        from functools import partial

        from flowlet.operators.decorators import task

        return partial(task, dag=self)

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"


def _known() -> list[str]:
    from flowlet.authoring.calls import Signature

    return list(Signature.of(DAG.__init__).names)
