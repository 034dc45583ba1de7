"""TaskFlow: functions as tasks. Calling a decorated function inside a DAG makes a task and gives its output.

The decorators themselves (`@task`, `@task.branch`, ...) stand beside the operators that they make; what
they share is here (Airflow: sdk/bases/decorator.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar

from flowlet.authoring import ids, places, stack
from flowlet.authoring.calls import signature_of
from flowlet.authoring.context import CONTEXT_KEYS
from flowlet.authoring.expand_input import ExpandInput, ListOfDicts
from flowlet.authoring.xcom_arg import XComArg
from flowlet.errors import DagError

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.group import TaskGroup
    from flowlet.authoring.operator import BaseOperator

P = ParamSpec("P")
R = TypeVar("R")


class TaskFunction(Generic[P, R]):
    """A function that becomes a task each time it is called inside a DAG.

    `function` is the plain one, for tests; `override(task_id=..., retries=...)` gives a variant.
    """

    def __init__(
        self,
        function: Callable[P, R],
        operator_class: type[BaseOperator],
        arguments: dict[str, Any],
        *,
        pushes_many: bool = True,
    ) -> None:
        if not callable(function):
            raise DagError(
                f"a task decorator takes a function, and its arguments by name, not {function!r}"
                f" ({places.spell(places.here())})"
            )
        self.function = function
        self.operator_class = operator_class
        self.kwargs = arguments
        self.pushes_many = pushes_many
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._signature = signature_of(function)
        self._task_id: str = arguments.get("task_id") or self.__name__
        self._many: bool | None = arguments.get("multiple_outputs")
        self._checked: set[tuple[int, tuple[str, ...]]] = set()
        self._partial: dict[str, Any] = {}
        self._marks: dict[str, Any] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """A new task in the open DAG; gives its output."""
        group = self._home()
        if (shape := (len(args), tuple(kwargs))) not in self._checked:
            self._check_call(args, kwargs)
            self._checked.add(shape)
        task_id = free_task_id(self._task_id, group.dag, group.child_id(self._task_id))
        call = {"python_callable": self.function, "op_args": args, "op_kwargs": kwargs}
        return self._mark(XComArg(self.operator_class(**{**self._arguments(), **call, "task_id": task_id})))

    def marked(self, marks: dict[str, Any]) -> Self:
        """The same function, whose tasks are setups or teardowns."""
        twin = self.override()
        twin._marks = marks
        return twin

    def _mark(self, output: XComArg) -> XComArg:
        marks = self._marks
        if marks.get("is_setup"):
            return output.as_setup()
        if marks.get("is_teardown"):
            return output.as_teardown(setups=marks["setups"], on_failure_fail_dagrun=marks["on_failure_fail_dagrun"])
        return output

    def _home(self) -> TaskGroup:
        """The open group."""
        group = stack.home(self.kwargs.get("dag"), self.kwargs.get("task_group"))
        if group is None:
            raise DagError(
                f"task {self._task_id!r} is called outside of a DAG: call it inside `with DAG(...)` or a @dag"
                f" function; the plain function is {self.__name__}.function ({places.spell(places.here())})"
            )
        return group

    def _arguments(self) -> dict[str, Any]:
        """The operator's, the call apart."""
        if self._many is None:
            self._many = self.pushes_many and returns_mapping(self.function)
        return {**self.kwargs, "multiple_outputs": self._many} if self._many else self.kwargs

    def _check_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        complaint = self._signature.complaint(args, kwargs, CONTEXT_KEYS)
        taken = [name for name in self._signature.positional[: len(args)] if name in CONTEXT_KEYS]
        if taken and complaint is None:
            complaint = f"{taken[0]!r} is filled from the task's context, do not pass it by position"
        complaint = complaint or self._wrong_default()
        if complaint is not None:
            raise DagError(
                f"task {self._task_id!r} ({self.__name__}) cannot be called so: {complaint}"
                f" ({places.spell(places.here())})"
            )

    def _wrong_default(self) -> str | None:
        """A default that the context would hide (Airflow: sdk/bases/decorator.py)."""
        for name, default in self._signature.defaults.items():
            if name in CONTEXT_KEYS and default is not None:
                return f"{name!r} is filled from the task's context, its default can only be None"
        return None

    def override(self, **arguments: Any) -> Self:
        """The same function with other arguments for its task."""
        twin = type(self)(
            self.function, self.operator_class, {**self.kwargs, **arguments}, pushes_many=self.pushes_many
        )
        twin._partial, twin._marks = self._partial, self._marks
        return twin

    def partial(self, **kwargs: Any) -> Self:
        """The arguments that do not differ between the instances of a mapped task; then `.expand(...)`."""
        for name in kwargs:
            self._check_name(name)
        twin = self.override()
        twin._partial = {**self._partial, **kwargs}
        return twin

    def expand(self, **mapped: Any) -> XComArg:
        """A task that runs once for every combination of an item of each argument; gives its outputs."""
        for name in mapped:
            self._check_name(name)
            if name in self._partial:
                raise self._wrong(f"argument {name!r} is given to partial() and mapped too")
        over = ExpandInput.checked(mapped, f"@task {self.__name__}")
        if self.kwargs.get("trigger_rule") == "always" and any(True for _ in over.iter_references()):
            raise self._wrong("over what a task returns it waits for that task, its trigger_rule cannot be 'always'")
        self._check_call((), {**self._partial, **mapped})
        return self._map(over)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:  # noqa: ARG002  Airflow's signature
        """The same, with the arguments of each instance in a dict of their own."""
        over = ListOfDicts.of(kwargs, f"@task {self.__name__}")
        for row in over.rows if isinstance(over.rows, (list, tuple)) else ():
            for name in row if isinstance(row, Mapping) else ():
                self._check_name(name)
        return self._map(over)

    def _map(self, over: ExpandInput) -> XComArg:
        from flowlet.authoring.mapped import MappedOperator

        group = self._home()
        task_id = free_task_id(self._task_id, group.dag, group.child_id(self._task_id))
        arguments = {**self._arguments(), "python_callable": self.function, "op_kwargs": self._partial, "task_id": task_id}
        node = MappedOperator(operator_class=self.operator_class, partial_kwargs=arguments, over=over, as_op_kwargs=True)
        return self._mark(XComArg(node))

    def _check_name(self, name: str) -> None:
        if name in CONTEXT_KEYS or (name not in self._signature.names and not self._signature.takes_any_keyword):
            filled = " is filled from the task's context" if name in CONTEXT_KEYS else " is none of its arguments"
            raise self._wrong(f"{name!r}{filled}")

    def _wrong(self, what: str) -> DagError:
        return DagError(f"task {self._task_id!r} ({self.__name__}) cannot be mapped so: {what} ({places.spell(places.here())})")

    def __repr__(self) -> str:
        return f"<@task function {self.__name__}>"


def free_task_id(task_id: str, dag: DAG, full_id: str) -> str:
    """The id, or `id__1`, `id__2`, ... when the DAG has it already: one more than the largest in use."""
    if full_id not in dag.task_dict:
        return task_id
    base, _ = ids.split_number(full_id)
    return f"{ids.split_number(task_id)[0]}__{dag._suffixes.get(base, 0) + 1}"


def returns_mapping(function: Callable[..., Any]) -> bool:
    """Whether the function is annotated to return a dict, a Mapping or a TypedDict: each key is an output."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return False
    if isinstance(annotation, str):
        if annotation in _PLAIN_TYPES:
            return False
        annotation = _evaluate(function, annotation)
    origin = getattr(annotation, "__origin__", annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


_PLAIN_TYPES = frozenset({"None", "int", "str", "float", "bool", "bytes", "list", "tuple", "set", "Any"})


def _evaluate(function: Callable[..., Any], annotation: str) -> Any:
    """What an annotation written as text means; None where it cannot be told."""
    import typing

    try:
        return typing.get_type_hints(function)["return"]
    except Exception:  # an annotation may name what exists for type checkers only, or be any expression
        word = re.match(r"(?:typing\.|t\.|collections\.abc\.)?(\w+)\s*(?:\[|$)", annotation)
        return dict if word and word[1] in ("dict", "Dict", "Mapping", "MutableMapping") else None
