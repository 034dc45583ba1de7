"""BaseOperator: one task of a DAG, and what every operator has (Airflow: sdk/bases/operator.py).

What is not said stays in the class: an instance holds only what differs, so that large DAGs stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring import dates, ids, places, setup_teardown, spellings, stack
from flowlet.authoring.arguments import CHECKS
from flowlet.authoring.construct import completed, is_being_made, unknown_argument
from flowlet.authoring.relatives import Relatives
from flowlet.authoring.rules import TriggerRule, WeightRule
from flowlet.authoring.work import Work
from flowlet.authoring.xcom_arg import ResolveMixin, XComArg, iter_resolvables
from flowlet.errors import DagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from typing import Self, Unpack

    from flowlet.authoring.arguments import OperatorArguments
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.group import TaskGroup
    from flowlet.authoring.mapped import OperatorPartial
    from flowlet.authoring.params import ParamsDict

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})  # values that refer to nothing
_set = object.__setattr__  # what the operator keeps of itself, nobody has to be told of
_KEPT_UNDER = {"pre_execute": "_pre_execute_hook", "post_execute": "_post_execute_hook"}


class BaseOperator(Relatives, Work):
    """A task. Subclasses define `execute(context)`, or `async aexecute(context)` with `is_async = True`.

    Arguments of every operator are Airflow's. `on_crash` is flowlet's own: what becomes of an attempt that
    a crash of the process interrupted, "requeue" or "fail". Accepted without effect: queue, email,
    email_on_retry, email_on_failure, sla, resources, run_as_user, executor, executor_config.
    Wrong arguments raise DagError, which names the argument, the task and the line.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {}
    overwrite_rtif_after_execution: ClassVar[bool] = False
    """What is shown of its rendered fields is what they hold at the end (Airflow's name)."""
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    operator_extra_links: ClassVar[Sequence[Any]] = ()
    custom_operator_name: ClassVar[str | None] = None
    """How the class calls itself in lists, where that is not its name: `@task`."""
    is_mapped: ClassVar[bool] = False
    """It stands for as many instances as it is mapped over."""
    is_sensor: ClassVar[bool] = False
    """It is executed again as long as it raises PokeAgain, and says when (`next_poke_at`)."""

    task_id: str
    owner: str = "airflow"
    retries: int = 0
    retry_delay: timedelta = timedelta(seconds=300)
    retry_exponential_backoff: bool | float = 0
    max_retry_delay: timedelta | None = None
    retry_policy: Any = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    execution_timeout: timedelta | None = None
    depends_on_past: bool = False
    ignore_first_depends_on_past: bool = False
    wait_for_past_depends_before_skipping: bool = False
    wait_for_downstream: bool = False
    params: ParamsDict | None = None
    priority_weight: int = 1
    weight_rule: Any = WeightRule.DOWNSTREAM
    pool: str = "default_pool"
    pool_slots: int = 1
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    on_execute_callback: Sequence[Callable[[Any], Any]] = ()
    on_failure_callback: Sequence[Callable[[Any], Any]] = ()
    on_success_callback: Sequence[Callable[[Any], Any]] = ()
    on_retry_callback: Sequence[Callable[[Any], Any]] = ()
    on_skipped_callback: Sequence[Callable[[Any], Any]] = ()
    do_xcom_push: bool = True
    multiple_outputs: bool = False
    inlets: Sequence[Any] = ()
    outlets: Sequence[Any] = ()
    map_index_template: str | None = None
    render_template_as_native_obj: bool | None = None
    doc: str | None = None
    doc_md: str | None = None
    doc_json: str | None = None
    doc_yaml: str | None = None
    doc_rst: str | None = None
    task_display_name: str | None = None
    logger_name: str | None = None
    allow_nested_operators: bool = True
    on_crash: str = "requeue"
    queue: str | None = "default"
    email: Any = None
    email_on_retry: bool = True
    email_on_failure: bool = True
    sla: Any = None
    resources: Any = None
    run_as_user: str | None = None
    executor: str | None = None
    executor_config: Any = None
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    is_map_source: bool = False
    """Some mapping hangs on the length of what it returns."""

    _dag: DAG | None = None
    _group: TaskGroup | None = None
    _site: places.Site | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = completed(vars(cls)["__init__"])  # type: ignore[method-assign]  # the same, completed

    def __init__(self, *, task_id: str, **arguments: Unpack[OperatorArguments]) -> None:
        given: dict[str, Any] = arguments  # type: ignore[assignment]  # a TypedDict is a dict
        dag, group = given.pop("dag", None), given.pop("task_group", None)
        defaults = given.pop("default_args", None)
        if defaults:
            older = spellings.TASK_ARGUMENTS
            given = {**{name: value for name, value in defaults.items() if name in CHECKS or name in older}, **given}
        if spellings.TASK_ARGUMENTS:
            spellings.respell(given, spellings.TASK_ARGUMENTS)
        _set(self, "task_id", ids.check_id("task", task_id, self._site))
        home = stack.home(dag, group)
        if home is not None:
            home.add(self)
            setup_teardown.joined(self)
        self._keep(given)

    def _keep(self, given: dict[str, Any]) -> None:
        """Check what was given, and hold what differs from the class."""
        for name, value in given.items():
            check = CHECKS.get(name)
            if check is None:
                raise unknown_argument(self, name, self.task_id)
            try:
                kept = check(value)
            except (TypeError, ValueError) as error:
                raise self._refuse(f"{name} {error}") from None
            name = _KEPT_UNDER.get(name, name)  # noqa: PLW2901  the same argument, by the name it is kept under
            if kept is not getattr(self, name):
                _set(self, name, kept)
        if "start_date" in given or "end_date" in given:
            self._read_dates()
        if self.wait_for_downstream and not self.depends_on_past:
            self.depends_on_past = True
        if self.params is not None:
            self._read_params()
        if self.sla is not None:
            places.warn(self._site if self._dag is None else self._dag._site, "sla has no effect: Airflow 3 has no SLAs")

    def _read_dates(self) -> None:
        for name in ("start_date", "end_date"):
            moment = getattr(self, name)
            if moment is None:
                continue
            try:
                zone = self._dag.timezone if self._dag else dates.zone_of(dates.default_timezone())
                _set(self, name, dates.aware(moment, zone))
            except (TypeError, ValueError) as error:
                raise self._refuse(f"{name} {error}") from None

    def _read_params(self) -> None:
        from flowlet.authoring.params import ParamsDict

        self.params = ParamsDict(self.params, owner=f"task {self.task_id!r}", site=self._site)

    def _refuse(self, what: str) -> DagError:
        """The error about this task: what is wrong with it, whose it is, where it was written."""
        dag = "" if self._dag is None else f" of DAG {self._dag.dag_id!r}"
        kind, place = type(self).__name__, places.spell(self._site)
        return DagError(f"task {self.task_id!r}{dag}: {what} ({kind}, {place})")

    def _is_one(self, name: str, value: Any, kinds: tuple[type, ...], words: str) -> None:
        """Refuse an argument that is not of these types, and not a value that a task will push either."""
        if not isinstance(value, (*kinds, ResolveMixin)):
            raise self._refuse(f"{name} must be {words}, not {value!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """What is said of a task later holds as if it had been said at first: its DAG's spec is made anew, and
        an XComArg in a template field is an edge (Airflow: `BaseOperator.__setattr__`)."""
        _set(self, name, value)
        dag = self._dag
        if dag is None or name[0] == "_" or is_being_made(self):
            return
        if dag.task_dict.get(self.task_id) is not self:
            return  # the copy of an attempt
        dag._compiled = None
        if name in self.template_fields:
            self._link(value)

    def _link_fields(self) -> None:
        """An XComArg in a template field is an edge."""
        for field in self.template_fields:
            value = getattr(self, field, None)
            if value and type(value) is not str:
                self._link(value)

    def _link(self, value: Any) -> None:
        for member in value if type(value) in (tuple, list) else (value,):
            if type(member) is XComArg:  # nearly always
                member.operator._before(self)
            elif type(member) not in _PLAIN:
                self._link_nested(member)

    def _link_nested(self, value: Any) -> None:
        for resolvable in iter_resolvables(value):
            for operator, _ in resolvable.iter_references():
                operator._before(self)

    # -- where it stands ------------------------------------------------------------------------------

    @property
    def dag(self) -> DAG:
        """The DAG of the task; DagError if it has none."""
        if self._dag is None:
            raise self._refuse("is in no DAG: create it inside `with DAG(...)`, or give it dag=")
        return self._dag

    @dag.setter
    def dag(self, dag: DAG) -> None:
        dag.add_task(self)

    def get_dag(self) -> DAG | None:
        """The DAG, or None."""
        return self._dag

    def add_inlets(self, inlets: Iterable[Any]) -> None:
        """It reads these, too."""
        self.inlets = [*self.inlets, *inlets]

    def add_outlets(self, outlets: Iterable[Any]) -> None:
        """It writes these, too."""
        self.outlets = [*self.outlets, *outlets]

    def has_dag(self) -> bool:
        """Whether it is in one."""
        return self._dag is not None

    @property
    def dag_id(self) -> str:
        """The id of its DAG; Airflow's `adhoc_<owner>` outside of one."""
        return self._dag.dag_id if self._dag is not None else f"adhoc_{self.owner}"

    @property
    def task_group(self) -> TaskGroup | None:
        """The group that holds it; the root group of the DAG for most."""
        return self._group

    @property
    def node_id(self) -> str:
        """Its id among tasks and groups."""
        return self.task_id

    @property
    def label(self) -> str:
        """Its id without the group's prefix."""
        group = self._group
        if group is not None and group.group_id and group.prefix_group_id:
            return self.task_id.removeprefix(f"{group.group_id}.")
        return self.task_id

    @property
    def task_type(self) -> str:
        """The name of its class."""
        return type(self).__name__

    @property
    def operator_name(self) -> str:
        """How lists show its class: `BashOperator`, `@task`."""
        return self.custom_operator_name or type(self).__name__

    @property
    def output(self) -> XComArg:
        """What it will return."""
        return XComArg(self)

    # -- edges ----------------------------------------------------------------------------------------

    @property
    def roots(self) -> Sequence[BaseOperator]:
        return (self,)

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        return (self,)

    def _before(self, other: BaseOperator) -> None:
        """One edge. A repeated one is kept as often as it is said and counts once."""
        if self._dag is not other._dag:
            self._share_dag(other)
        dag = self._dag
        if dag is not None and dag._compiled is not None:
            dag._compiled = None
        if self._down:
            self._down.append(other)  # type: ignore[attr-defined]  # the empty default apart, it is a list
        else:
            _set(self, "_down", [other])
        if other._up:
            other._up.append(self)  # type: ignore[attr-defined]  # the empty default apart, it is a list
        else:
            _set(other, "_up", [self])

    def _share_dag(self, other: BaseOperator) -> None:
        """A task without a DAG follows the one that it is joined with (as in Airflow)."""
        if self._dag is None:
            other.dag.add_task(self)
        elif other._dag is None:
            self._dag.add_task(other)
        else:
            raise DagError(
                f"task {self.task_id!r} is in DAG {self._dag.dag_id!r} and task {other.task_id!r} in"
                f" {other._dag.dag_id!r}: edges do not cross DAGs ({places.spell(places.here())})"
            )

    # -- setup and teardown ----------------------------------------------------------------------------

    def as_setup(self) -> Self:
        """Make it a setup: what works with it runs only when it succeeded."""
        setup_teardown.as_setup(self)
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> Self:
        """Make it the teardown of `setups`: it runs when all between them has ended, whatever became of it."""
        setup_teardown.as_teardown(self, setups, on_failure_fail_dagrun)
        return self

    def __enter__(self) -> setup_teardown.Scope:
        """`with setup >> teardown:` or `with teardown:`: what is made inside stands between them."""
        return setup_teardown.enter([self])

    def __exit__(self, *exc: object) -> None:
        setup_teardown.leave()

    # -- mapping ---------------------------------------------------------------------------------------

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """The arguments that all instances of a mapped task share; then `.expand(...)` with those that differ."""
        from flowlet.authoring.mapped import OperatorPartial

        return OperatorPartial(cls, kwargs)

    @property
    def mapped_group(self) -> TaskGroup | None:
        """The mapped group that it is in, or None."""
        group = self._group
        while group is not None and group.mapped_over is None:
            group = group.parent_group
        return group

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"


BaseOperator.__init__ = completed(BaseOperator.__init__)  # type: ignore[method-assign]  # the same, completed
