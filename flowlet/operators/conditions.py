"""`@task.run_if` and `@task.skip_if`: a look before the work (Airflow: sdk/definitions/decorators/condition.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlet.authoring.places import here, spell
from flowlet.authoring.taskflow import TaskFunction
from flowlet.errors import DagError, SkipTask

Condition = Callable[[Any], Any]
"""Gets the context; true or false, or (that, the reason)."""


def run_if(condition: Condition, skip_message: str | None = None) -> Callable[[Any], Any]:
    """Put above `@task`: skipped unless the condition is met."""
    return _looking_first("run_if", condition, skip_message, skipped_when=False)


def skip_if(condition: Condition, skip_message: str | None = None) -> Callable[[Any], Any]:
    """Put above `@task`: skipped if the condition is met."""
    return _looking_first("skip_if", condition, skip_message, skipped_when=True)


def _looking_first(
    name: str, condition: Condition, text: str | None, *, skipped_when: bool
) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        if not isinstance(function, TaskFunction):
            raise DagError(f"@task.{name} stands above @task, not below it ({spell(here())})")
        before = function.kwargs.get("pre_execute")

        def look(context: Any) -> None:
            if before is not None:
                before(context)
            answer = condition(context)
            met, reason = answer if isinstance(answer, tuple) else (answer, None)
            if bool(met) is skipped_when:
                raise SkipTask(reason or text or f"the condition of @task.{name} says so")

        return function.override(pre_execute=look)

    return decorate
