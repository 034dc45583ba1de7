"""ExternalTaskSensor and ExternalTaskMarker: join tasks of different DAGs.

Airflow: providers/standard/sensors/external_task.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.calls import determine_kwargs
from flowlet.errors import FlowletError, SkipTask
from flowlet.operators.deferring import DEFERRABLE
from flowlet.operators.empty import EmptyOperator
from flowlet.operators.sensor import BaseSensorOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class ExternalTaskSensor(BaseSensorOperator):
    """Waits for tasks, a group of tasks or a whole run of another DAG, of the same logical date.

    `execution_delta` looks that much earlier; `execution_date_fn(logical_date)` gives the date, or several.
    It is met when all of them are in one of `allowed_states` (success). One in `failed_states` fails the
    sensor (or skips it, with soft_fail), one in `skipped_states` skips it; without those a failure there is
    waited upon until the timeout. `check_existence`: fail at once if there is no such DAG or task. Runs
    without a logical date are never matched. `deferrable`: it is `deferred` from look to look, and takes no
    slot of its pool and of its run meanwhile.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id",
    )  # fmt: skip
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        allowed_states: Iterable[str] | None = None,
        skipped_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        execution_delta: timedelta | None = None,
        execution_date_fn: Callable[..., Any] | None = None,
        check_existence: bool = False,
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sum(map(bool, (external_task_id, external_task_ids, external_task_group_id))) > 1:
            raise self._refuse("give one of external_task_id, external_task_ids and external_task_group_id")
        if execution_delta is not None and execution_date_fn is not None:
            raise self._refuse("give execution_delta or execution_date_fn, not both")
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.external_task_ids = external_task_ids or None
        self.external_task_group_id = external_task_group_id
        self.allowed_states = [str(state) for state in allowed_states or ("success",)]
        self.skipped_states = [str(state) for state in skipped_states or ()]
        self.failed_states = [str(state) for state in failed_states or ()]
        named = [*self.allowed_states, *self.skipped_states, *self.failed_states]
        if len(set(named)) < len(named):
            raise self._refuse("a state stands in more than one of allowed, skipped and failed_states")
        self.execution_delta = execution_delta
        self.execution_date_fn = execution_date_fn
        self.check_existence = check_existence
        self.deferrable = deferrable

    @property
    def defers_between_looks(self) -> bool:  # type: ignore[override]  # the same for all of a class but here
        return self.deferrable

    async def look_again(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002  which moment it was
        return await self.aexecute(context)

    async def poke(self, context: Context) -> bool:
        runs, dates = context["ti"].runs, self._dates(context)
        wanted = self._tasks(runs)
        if self.check_existence:
            runs.check(self.external_dag_id, wanted or ())
        if wanted is None:
            found = [None if state is None else [state] for state in await runs.run_states(self.external_dag_id, dates)]
        else:
            found = await runs.task_states(self.external_dag_id, dates, wanted)
        states = {state for several in found for state in several or ()}
        self._heed(states)
        return all(several and set(several) <= set(self.allowed_states) for several in found)

    def _tasks(self, runs: Any) -> list[str] | None:
        """The ids of the tasks to look at; None for the run as a whole."""
        if self.external_task_group_id:
            tasks: list[str] = runs.tasks_of(self.external_dag_id, self.external_task_group_id)
            return tasks
        if self.external_task_id:
            return [self.external_task_id]
        return None if self.external_task_ids is None else list(self.external_task_ids)

    def _heed(self, states: set[str]) -> None:
        if failed := sorted(states & set(self.failed_states)):
            text = f"{self._what()} is {', '.join(failed)}"
            raise SkipTask(f"soft_fail: {text}") if self.soft_fail else FlowletError(text)
        if skipped := sorted(states & set(self.skipped_states)):
            raise SkipTask(f"{self._what()} is {', '.join(skipped)}")

    def _what(self) -> str:
        part = self.external_task_id or self.external_task_ids or self.external_task_group_id
        return f"DAG {self.external_dag_id!r}" + (f", {part}" if part else "")

    def _dates(self, context: Context) -> list[datetime]:
        date: datetime | None = context.get("logical_date")
        if date is None:
            raise FlowletError("a run without a logical date has none to look for in another DAG")
        if self.execution_delta is not None:
            return [date - self.execution_delta]
        if self.execution_date_fn is None:
            return [date]
        given = self.execution_date_fn(date, **determine_kwargs(self.execution_date_fn, (date,), _without_date(context)))
        return list(given) if isinstance(given, (list, tuple)) else [given]


def _without_date(context: Context) -> dict[str, Any]:
    """The context for a function that gets the date by position, whatever it calls it."""
    return {key: value for key, value in context.items() if key not in ("logical_date", "execution_date")}


class ExternalTaskMarker(EmptyOperator):
    """Does nothing: says that a task of another DAG waits for this one, and is to be cleared with it."""

    template_fields: ClassVar[Sequence[str]] = ("external_dag_id", "external_task_id", "logical_date")
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str,
        logical_date: str | datetime | None = "{{ logical_date.isoformat() }}",
        recursion_depth: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if recursion_depth <= 0:
            raise self._refuse(f"recursion_depth must be a positive number, not {recursion_depth!r}")
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.logical_date = logical_date.isoformat() if isinstance(logical_date, datetime) else logical_date
        self.recursion_depth = recursion_depth

    @property
    def external_marks(self) -> tuple[str, str, str | None, int]:
        """What is cleared with it (see `flowlet.engine.markers`)."""
        return self.external_dag_id, self.external_task_id, self.logical_date, self.recursion_depth
