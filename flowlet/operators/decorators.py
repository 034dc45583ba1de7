"""`@task` and its variants: functions as tasks."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from flowlet.authoring.places import here, nearest, spell
from flowlet.authoring.taskflow import TaskFunction
from flowlet.errors import DagError
from flowlet.operators.bash_function import DecoratedBash
from flowlet.operators.branch import DecoratedBranch
from flowlet.operators.conditions import run_if, skip_if
from flowlet.operators.providers import decorator_of
from flowlet.operators.python import PythonOperator
from flowlet.operators.sensor import DecoratedSensor
from flowlet.operators.short_circuit import DecoratedShortCircuit

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator

P = ParamSpec("P")
R = TypeVar("R")


_OF_PROVIDERS = {
    "docker": "docker", "kubernetes": "cncf-kubernetes", "kubernetes_cmd": "cncf-kubernetes", "pyspark": "apache-spark",
    "snowpark": "snowflake", "sql": "common-sql",
}  # fmt: skip
"""Airflow's names whose absence is said in so many words: the provider package that brings them."""


_OTHER_PYTHONS = {
    "virtualenv": ("virtualenv", "DecoratedVirtualenv"),
    "branch_virtualenv": ("virtualenv", "DecoratedBranchVirtualenv"),
    "external_python": ("external_python", "DecoratedExternalPython"),
    "branch_external_python": ("external_python", "DecoratedBranchExternalPython"),
}
"""Decorators that are loaded when a file uses them: module and class."""


class DecoratedPython(PythonOperator):
    """What `@task` makes."""

    custom_operator_name = "@task"


class TaskDecorator:
    """One decorator: `@task`, or `@task(retries=2)` with the arguments of the operator that it makes."""

    def __init__(self, operator_class: type[BaseOperator], *, pushes_many: bool = True) -> None:
        self._operator_class = operator_class
        self._pushes_many = pushes_many

    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskFunction[P, R]: ...
    @overload
    def __call__(
        self, function: None = None, /, **arguments: Any
    ) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...
    def __call__(self, function: Callable[..., Any] | None = None, /, **arguments: Any) -> Any:
        function = arguments.pop("python_callable", function)
        if function is not None:
            return self._decorate(function, arguments)
        return lambda function: self._decorate(function, arguments)

    def _decorate(self, function: Any, arguments: dict[str, Any]) -> TaskFunction[..., Any]:
        return TaskFunction(function, self._operator_class, arguments, pushes_many=self._pushes_many)


class TaskDecorators(TaskDecorator):
    """`@task` with all that hangs on it."""

    virtualenv: TaskDecorator
    branch_virtualenv: TaskDecorator
    external_python: TaskDecorator
    branch_external_python: TaskDecorator

    def __init__(self) -> None:
        super().__init__(DecoratedPython)
        self.python = TaskDecorator(DecoratedPython)
        self.branch = TaskDecorator(DecoratedBranch, pushes_many=False)
        self.short_circuit = TaskDecorator(DecoratedShortCircuit, pushes_many=False)
        self.sensor = TaskDecorator(DecoratedSensor, pushes_many=False)
        self.bash = TaskDecorator(DecoratedBash, pushes_many=False)
        self.run_if = run_if
        self.skip_if = skip_if

    def __getattr__(self, name: str) -> TaskDecorator:
        if name in _OTHER_PYTHONS:
            module, made = _OTHER_PYTHONS[name]
            operator = getattr(import_module(f"flowlet.operators.{module}"), made)
            decorator = TaskDecorator(operator, pushes_many=not name.startswith("branch"))
            setattr(self, name, decorator)
            return decorator
        if not name.startswith("_") and (brought := decorator_of(name)) is not None:
            return brought  # type: ignore[no-any-return]  # it makes decorators, whatever it is
        if name in _OF_PROVIDERS:
            package = f"apache-airflow-providers-{_OF_PROVIDERS[name]}"
            raise DagError(f"@task.{name} comes with the package {package}, which is not installed ({spell(here())})")
        raise AttributeError(f"there is no decorator @task.{name}{nearest(name, [*vars(self), *_OTHER_PYTHONS])}")


task = TaskDecorators()
