"""Classes that people's own code derives from, and a decorator of old operators."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from flowlet.named_tuple import NamedTuple
from flowlet.operators.sensor import BaseSensorOperator

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=BaseSensorOperator)


class LoggingMixin:
    """Gives `self.log`: records made while a task runs are in its log."""

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")


class BaseOperatorLink:
    """A link of an operator's page. Kept for whoever draws it."""

    name: ClassVar[str] = ""
    operators: ClassVar[list[type]] = []

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_link()")


class AirflowPlugin:
    """A plugin's class: it can be written and imported; nothing has to be registered to be used here."""

    name: ClassVar[str | None] = None


class ParsingContext(NamedTuple):
    """For which DAG or task a file is loaded: for all of them, always."""

    dag_id: str | None = None
    task_id: str | None = None


def get_parsing_context() -> ParsingContext:
    """What a file that makes many DAGs may ask, to make one only."""
    return ParsingContext()


def poke_mode_only(cls: type[S]) -> type[S]:
    """A sensor that cannot be rescheduled: any other mode is refused when it is made."""
    cls.valid_modes = ("poke",)
    return cls


def apply_defaults(function: F) -> F:
    """default_args reach every operator by themselves (also in Airflow, since 2.0)."""
    return function
