"""Dynamic mapping of operators: `Op.partial(...).expand(...)` (Airflow: sdk/definitions/mappedoperator.py).

The arguments of `partial` are every instance's; those of `expand` differ. One node stands in the DAG for
all of them; the operator of an instance is made where it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring import places, stack
from flowlet.authoring.arguments import CHECKS
from flowlet.authoring.calls import Signature
from flowlet.authoring.construct import unknown_argument
from flowlet.authoring.expand_input import ExpandInput, ListOfDicts
from flowlet.authoring.operator import BaseOperator
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

_NOT_MAPPED = frozenset({"task_id", "dag", "task_group", "default_args", *CHECKS})
_OF_THE_NODE = frozenset({"task_id", "dag", "task_group"})


class OperatorPartial:
    """What `Op.partial(...)` gives: it becomes a task by `expand` or `expand_kwargs`."""

    def __init__(self, operator_class: type[BaseOperator], arguments: dict[str, Any]) -> None:
        self.operator_class = operator_class
        self.arguments = arguments
        self._site = places.here()
        for name in arguments:
            if not _takes(operator_class, name):
                raise self._unknown(name)

    def expand(self, **mapped: Any) -> MappedOperator:
        """One instance for every combination of an item of each argument."""
        for name in mapped:
            self._check_mapped(name)
        return self._make(ExpandInput.checked(mapped, self._what))

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:  # noqa: ARG002  Airflow's signature
        """One instance for each dict of arguments."""
        over = ListOfDicts.of(kwargs, self._what)
        for row in over.rows if isinstance(over.rows, (list, tuple)) else ():
            for name in row if isinstance(row, Mapping) else ():
                self._check_mapped(name)
        return self._make(over)

    @property
    def _what(self) -> str:
        return f"{self.operator_class.__name__} {self.arguments.get('task_id')!r}"

    def _check_mapped(self, name: str) -> None:
        if name in _NOT_MAPPED:
            raise DagError(f"{self._what}: {name!r} cannot be mapped, give it to partial() ({places.spell(self._site)})")
        if name in self.arguments:
            raise DagError(f"{self._what}: {name!r} is given to partial() and mapped too ({places.spell(self._site)})")
        if not _takes(self.operator_class, name):
            raise self._unknown(name)

    def _unknown(self, name: str) -> DagError:
        probe = object.__new__(self.operator_class)
        probe._site = self._site
        return unknown_argument(probe, name, self.arguments.get("task_id"))

    def _make(self, over: ExpandInput) -> MappedOperator:
        return MappedOperator(operator_class=self.operator_class, partial_kwargs=self.arguments, over=over)


def _takes(operator_class: type[BaseOperator], name: str) -> bool:
    """Whether some `__init__` of the class has an argument of that name."""
    if name in CHECKS or name in _NOT_MAPPED:
        return True
    inits = [vars(cls)["__init__"] for cls in operator_class.__mro__ if "__init__" in vars(cls) and cls is not object]
    return any(name in Signature.of(init).names for init in inits)


class MappedOperator(BaseOperator):
    """The node of a mapped task. `unmap` makes the operator of one instance."""

    is_mapped = True

    def __init__(
        self, *, operator_class: type[BaseOperator], partial_kwargs: dict[str, Any], over: ExpandInput, as_op_kwargs: bool = False,
    ) -> None:  # fmt: skip
        group = stack.home(partial_kwargs.get("dag"), partial_kwargs.get("task_group"))
        outer = group.default_args if group is not None else {}
        defaults = {**outer, **(partial_kwargs.get("default_args") or {})}
        own = {name: value for name, value in partial_kwargs.items() if name in CHECKS or name in _OF_THE_NODE}
        self.operator_class = operator_class
        self.partial_kwargs = {name: value for name, value in partial_kwargs.items() if name not in _OF_THE_NODE}
        if defaults:
            self.partial_kwargs["default_args"] = defaults
        self.over = over
        self.as_op_kwargs = as_op_kwargs
        self._inherit(own, defaults)
        super().__init__(**own, default_args=defaults)
        for operator, _ in over.iter_references():
            operator.is_map_source = True
            operator._before(self)
        for value in self.partial_kwargs.values():
            if value and type(value) is not str:
                self._link(value)

    def _inherit(self, own: dict[str, Any], defaults: Mapping[str, Any]) -> None:
        """What the class says of itself where nobody says otherwise, as an instance of it would hold it."""
        for name in CHECKS:
            said = getattr(self.operator_class, name, None)
            if name not in own and name not in defaults and said is not getattr(BaseOperator, name, None):
                own[name] = said

    # -- what the node tells of its instances ------------------------------------------------------------

    @property
    def _probe(self) -> BaseOperator:
        """An operator of the class that nobody runs: it tells how its instances are run."""
        probe = object.__new__(self.operator_class)
        probe.__dict__.update(self.partial_kwargs)
        return probe

    @property
    def is_async(self) -> bool:
        """False too where what would tell is itself mapped: a thread can run either kind."""
        try:
            return self._probe.is_async
        except AttributeError:  # python_callable, say
            return False

    @property
    def is_sensor(self) -> bool:  # type: ignore[override]  # of the class of the instances
        return self.operator_class.is_sensor

    @property
    def mode(self) -> str:
        """A mapped sensor's."""
        mode: str = self.partial_kwargs.get("mode", getattr(self.operator_class, "mode", "poke"))
        return mode

    @property
    def task_type(self) -> str:
        return self.operator_class.__name__

    @property
    def operator_name(self) -> str:
        return self.operator_class.custom_operator_name or self.operator_class.__name__

    # -- running -------------------------------------------------------------------------------------

    def unmap(self, context: Context) -> tuple[BaseOperator, set[int]]:
        """The operator of the instance that runs in this context, and the ids of values that are not rendered.

        What comes from other tasks is a value, never a template (Airflow: dynamic-task-mapping.rst).
        """
        mapped, foreign = self.over.resolve(context, context["ti"].map_index)
        arguments = dict(self.partial_kwargs)
        if self.as_op_kwargs:
            arguments["op_kwargs"] = {**arguments.get("op_kwargs", {}), **mapped}
        else:
            arguments.update(mapped)
        before = stack.OPEN.set(())
        try:
            operator = self.operator_class(task_id=self.label, **arguments)
        finally:
            stack.OPEN.reset(before)
        operator.task_id = self.task_id
        operator._dag, operator._group, operator._site = self._dag, self._group, self._site
        operator._up, operator._down = self._up, self._down
        operator.is_setup, operator.is_teardown = self.is_setup, self.is_teardown
        return operator, foreign

    def __repr__(self) -> str:
        return f"<Mapped({self.task_type}): {self.task_id}>"
