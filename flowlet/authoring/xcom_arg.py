"""A value that does not exist yet: what a task will have pushed when another runs.

Using one in a task's template fields or arguments makes the edge (Airflow: sdk/definitions/xcom_arg.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from flowlet.authoring import places
from flowlet.authoring.context import RETURN_KEY
from flowlet.authoring.edges import DependencyMixin
from flowlet.errors import DagError, XComNotFound

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.derived_args import Derived
    from flowlet.authoring.operator import BaseOperator
    from flowlet.authoring.setup_teardown import Scope

_MISSING = object()


class ResolveMixin:
    """Something that stands for a value which only a running task can know."""

    __slots__ = ()

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        """The (task, XCom key) pairs that the value is made of."""
        raise NotImplementedError

    def resolve(self, context: Context) -> Any:
        """The value, for the task that runs in this context."""
        raise NotImplementedError


class XComArg(ResolveMixin, DependencyMixin):
    """What `operator` pushes under `key`: `task.output`, what calling a `@task` gives, or `that["key"]`."""

    __slots__ = ("key", "operator")

    def __init__(self, operator: BaseOperator, key: str = RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    @property
    def roots(self) -> Sequence[BaseOperator]:
        return (self.operator,)

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        return (self.operator,)

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        yield self.operator, self.key

    def resolve(self, context: Context) -> Any:
        """The pushed value. Nothing returned is None; another key that was not pushed is XComNotFound.

        A task with `multiple_outputs` that was skipped, or whose dict lacks the key, gives None. Of a mapped
        task it is the list of all that its instances pushed.
        """
        operator, ti = self.operator, context["ti"]
        if operator.is_mapped or operator.mapped_group is not None:
            value = ti.pull_mapped(operator, self.key, default=_MISSING)
        else:
            value = ti.xcom_pull(task_ids=operator.task_id, key=self.key, default=_MISSING)
        if value is not _MISSING:
            return value
        if self.key == RETURN_KEY or operator.multiple_outputs:
            return None
        raise XComNotFound(f"task {operator.task_id!r} did not push {self.key!r}")

    def __getitem__(self, key: str) -> XComArg:
        """What the task pushes under another key."""
        if not isinstance(key, str):
            raise DagError(
                f"the output of task {self.operator.task_id!r} has string keys only, not {key!r}: values"
                f" do not exist while a DAG is being described ({places.spell(places.here())})"
            )
        return XComArg(self.operator, key)

    def __iter__(self) -> NoReturn:
        raise DagError(
            f"the output of task {self.operator.task_id!r} cannot be iterated over while the DAG is being"
            f" described: it does not exist yet ({places.spell(places.here())})"
        )

    def __str__(self) -> str:
        """The template that pulls the value, for use in a longer string. It makes no edge."""
        key = "" if self.key == RETURN_KEY else f", key={self.key!r}"
        dag = self.operator.get_dag()
        dag_id = "" if dag is None else f", dag_id={dag.dag_id!r}"
        return f"{{{{ task_instance.xcom_pull(task_ids={self.operator.task_id!r}{dag_id}{key}) }}}}"

    def __repr__(self) -> str:
        return f"XComArg({self.operator!r}, {self.key!r})"

    def as_setup(self) -> XComArg:
        """Make its task a setup."""
        self.operator.as_setup()
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> XComArg:
        """Make its task a teardown."""
        self.operator.as_teardown(setups=setups, on_failure_fail_dagrun=on_failure_fail_dagrun)
        return self

    def __enter__(self) -> Scope:
        return self.operator.__enter__()

    def __exit__(self, *exc: object) -> None:
        self.operator.__exit__(*exc)

    def map(self, f: Callable[[Any], Any]) -> Derived:
        """Every item handed through `f`, for `expand()`."""
        from flowlet.authoring.derived_args import MapXComArg

        return MapXComArg(self, f)

    def zip(self, *others: Any, **fill: Any) -> Derived:
        """Tuples of the items of this output and of the others; `fillvalue=` goes on to the longest."""
        from flowlet.authoring.derived_args import NOTHING, ZipXComArg

        return ZipXComArg([self, *others], fill.get("fillvalue", NOTHING))

    def concat(self, *others: Any) -> Derived:
        """The items of this output, then those of the others."""
        from flowlet.authoring.derived_args import ConcatXComArg

        return ConcatXComArg([self, *others])


def iter_resolvables(value: Any) -> Iterator[ResolveMixin]:
    """Everything in a value, however nested in lists, tuples, sets and dicts, that a run must resolve."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        thing = todo.pop()
        if isinstance(thing, ResolveMixin):
            yield thing
        elif isinstance(thing, (list, tuple, set, frozenset, dict)) and id(thing) not in seen:
            seen.add(id(thing))
            todo.extend(thing.values() if isinstance(thing, dict) else thing)
        elif hasattr(thing, "template_fields") and id(thing) not in seen:
            seen.add(id(thing))
            fields = thing.template_fields
            if isinstance(fields, (list, tuple)):
                todo.extend(getattr(thing, field, None) for field in fields)


def contains_xcom_args(value: Any) -> bool:
    """Whether a run must resolve something in the value."""
    return next(iter_resolvables(value), None) is not None


def resolve_values(value: Any, context: Context) -> Any:
    """The value, with what is in its lists, tuples, sets and dicts resolved; itself if nothing is."""
    if isinstance(value, ResolveMixin):
        return value.resolve(context)
    if not isinstance(value, (list, tuple, set, frozenset, dict)) or not contains_xcom_args(value):
        return value
    if isinstance(value, dict):
        return {key: resolve_values(member, context) for key, member in value.items()}
    members = [resolve_values(member, context) for member in value]
    remade: Any = getattr(type(value), "_make", type(value))  # a namedtuple takes its members one by one
    return remade(members)
