"""`literal(value)`: a value that looks like a template and is none (Airflow: sdk/definitions/template.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowlet.authoring.xcom_arg import ResolveMixin

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.operator import BaseOperator


class Literal(ResolveMixin):
    """Stands for its value; nothing in that is rendered."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> Iterator[tuple[BaseOperator, str]]:
        return iter(())

    def resolve(self, context: Context) -> Any:  # noqa: ARG002  the same in all
        return self.value

    def __repr__(self) -> str:
        return f"literal({self.value!r})"


def literal(value: Any) -> Literal:
    """For a template field: `bash_command=literal("echo {{ not a template }}")`."""
    return Literal(value)
