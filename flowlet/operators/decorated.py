"""What decorators of provider packages, and people's own, build on (Airflow: sdk/bases/decorator.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from flowlet.authoring.operator import BaseOperator
from flowlet.operators.decorators import TaskDecorator
from flowlet.operators.python import keep_call


class _Later:
    """Stands in a template field for what the function will say."""

    def __repr__(self) -> str:
        return "DYNAMIC (set during execution)"


SET_DURING_EXECUTION: Final = _Later()


class DecoratedOperator(BaseOperator):
    """Keeps a function and its arguments; beside it in a class stands the operator that works with what it says."""

    template_fields: ClassVar[Sequence[str]] = ("op_args", "op_kwargs")
    template_fields_renderers: ClassVar = {"op_args": "py", "op_kwargs": "py"}

    python_callable: Callable[..., Any]
    op_args: Collection[Any] = ()
    op_kwargs: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kwargs_to_upstream: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**(kwargs_to_upstream or {}), **kwargs)
        keep_call(self, python_callable, op_args, op_kwargs)


def task_decorator_factory(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    decorated_operator_class: type[BaseOperator],
    **kwargs: Any,
) -> Any:
    """A decorator whose functions become tasks of this class; the task function itself if a function is given."""
    if multiple_outputs is not None:
        kwargs["multiple_outputs"] = multiple_outputs
    return TaskDecorator(decorated_operator_class)(python_callable, **kwargs)
