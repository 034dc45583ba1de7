"""The template fields of a task as it stands in the file: also those that a mapped task is to have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowlet.authoring.mapped import MappedOperator
from flowlet.authoring.operator import BaseOperator


def operator_class(task: BaseOperator) -> type:
    """The class whose `execute` will run."""
    return task.operator_class if isinstance(task, MappedOperator) else type(task)


def template_values(task: BaseOperator) -> Iterator[tuple[str, Any]]:
    """Names and values of the fields that are rendered; of a mapped task also each value that `expand` gives."""
    if not isinstance(task, MappedOperator):
        for field in task.template_fields:
            yield field, getattr(task, field, None)
        return
    fields = getattr(task.operator_class, "template_fields", ())
    for name, value in task.partial_kwargs.items():
        if name in fields:
            yield name, value
    for name, value in getattr(task.over, "values", {}).items():
        if name in fields or task.as_op_kwargs:  # a function's arguments are items of a field, op_kwargs
            yield name, value


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts_in(member)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            yield from texts_in(member)
