"""TriggerDagRunOperator: make a run of another DAG (Airflow: providers/standard/operators/trigger_dagrun.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.params import NOTSET
from flowlet.clock import SECOND
from flowlet.errors import FlowletError, PokeAgain, RunExists, SkipTask
from flowlet.operators.deferring import DEFERRABLE
from flowlet.operators.moments import as_moment

if TYPE_CHECKING:
    from flowlet.authoring.context import Context
    from flowlet.authoring.triggers import TaskDeferred

RUN_KEY = "trigger_run_id"
"""The XCom that holds the id of the run that was made."""


class TriggerDagRunOperator(BaseOperator):
    """Makes a run of `trigger_dag_id`, now or for `logical_date`, with `conf`, under `trigger_run_id` if given.

    A run that exists already is cleared with `reset_dag_run`, so that it runs again with the conf that it has;
    else it fails the task, or skips it with `skip_when_already_exists`. With
    `wait_for_completion` it looks each `poke_interval` seconds whether the run has ended: in one of
    `allowed_states` (success) it succeeds, in one of `failed_states` (failed) it fails; the wait takes no thread.
    `deferrable`: it is `deferred` from look to look, and takes no slot of its pool and of its run meanwhile.
    `note` and `openlineage_inject_parent_info` are accepted and need nothing here.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "trigger_dag_id", "trigger_run_id", "logical_date", "conf", "wait_for_completion", "skip_when_already_exists",
    )  # fmt: skip
    template_fields_renderers: ClassVar = {"conf": "py"}
    ui_color = "#ffefeb"
    is_sensor = True  # until the run that it waits for has ended
    mode = "poke"

    _made: str | None = None

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: Mapping[str, Any] | str | None = None,
        logical_date: Any = NOTSET,
        execution_date: Any = NOTSET,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: float | timedelta = 60,
        allowed_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        note: str | None = None,
        deferrable: bool = DEFERRABLE,
        openlineage_inject_parent_info: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if fail_when_dag_is_paused:
            raise self._refuse("fail_when_dag_is_paused is not supported by this version of flowlet")
        self.trigger_dag_id = trigger_dag_id
        self.trigger_run_id = trigger_run_id
        self.conf = conf
        self.logical_date = logical_date if execution_date in (NOTSET, None) else execution_date
        self.reset_dag_run = reset_dag_run
        self.wait_for_completion = wait_for_completion
        self.poke_interval = _seconds(poke_interval)
        self.allowed_states = _words(allowed_states, "success")
        self.failed_states = _words(failed_states, "failed") if failed_states is None or failed_states else ()
        self.skip_when_already_exists = skip_when_already_exists
        self.note = note
        self.deferrable = deferrable
        self.openlineage_inject_parent_info = openlineage_inject_parent_info

    @property
    def is_async(self) -> bool:
        return type(self).execute is TriggerDagRunOperator.execute

    def execute(self, context: Context) -> Any:
        """Not called: this operator asks the engine, on whose loop it runs."""
        raise NotImplementedError("TriggerDagRunOperator.execute cannot be called: override aexecute")

    async def aexecute(self, context: Context) -> None:
        if self._made is None:
            self._made = await self._trigger(context)
        if self.wait_for_completion:
            await self._look(self._made, context)

    @property
    def defers_between_looks(self) -> bool:
        """Whether it is `deferred` until its next look."""
        return self.deferrable

    def until_next_look(self, moment: int) -> TaskDeferred:
        """The wish to be deferred until then; which run it waits for goes with it."""
        from flowlet.operators.triggers import until

        return until(moment, method_name="look_again", made=self._made)

    async def look_again(self, context: Context, made: str, event: Any = None) -> None:  # noqa: ARG002  which moment it was
        """How it goes on after that."""
        self._made = made
        await self.aexecute(context)

    async def _trigger(self, context: Context) -> str:
        ti = context["ti"]
        try:
            if self.trigger_run_id and await ti.runs.exists(self.trigger_dag_id, self.trigger_run_id):
                raise RunExists(f"DAG {self.trigger_dag_id!r} has a run {self.trigger_run_id!r} already")
            made: str = await ti.trigger_run(
                self.trigger_dag_id, conf=self._conf(), run_id=self.trigger_run_id, **self._date()
            )
        except RunExists as error:
            made = await self._take_existing(ti, error)
        else:
            ti.log.info("Triggered %s of DAG %s", made, self.trigger_dag_id)
        ti.xcom_push(RUN_KEY, made)
        return made

    async def _take_existing(self, ti: Any, error: RunExists) -> str:
        """Clear the run that there is (Airflow: sdk/api/client.py, `DagRunOperations.trigger`), or say why not."""
        if self.reset_dag_run:
            run_id: str = await ti.reset_run(self.trigger_dag_id, run_id=self.trigger_run_id, **self._date())
            ti.log.info("%s of DAG %s exists and begins anew", run_id, self.trigger_dag_id)
            return run_id
        if self.skip_when_already_exists:
            raise SkipTask(f"skip_when_already_exists: {error}") from None
        raise error

    async def _look(self, run_id: str, context: Context) -> None:
        state = await context["ti"].runs.state(self.trigger_dag_id, run_id)
        if state in self.failed_states:
            raise FlowletError(f"the run {run_id!r} of DAG {self.trigger_dag_id!r} ended as {state}")
        if state not in self.allowed_states:
            raise PokeAgain(f"the run {run_id!r} of DAG {self.trigger_dag_id!r} has not ended: {state}")

    def next_poke_at(self, started_at: int, now: int, pokes: int) -> int:  # noqa: ARG002  of every sensor
        """When to look again."""
        return now + max(round(self.poke_interval * SECOND), 1)

    def _conf(self) -> Mapping[str, Any] | None:
        if not isinstance(self.conf, str):
            return self.conf
        try:
            found: Mapping[str, Any] = json.loads(self.conf)
        except ValueError as error:
            raise FlowletError(f"conf of task {self.task_id!r} is no JSON: {error}") from None
        return found

    def _date(self) -> dict[str, Any]:
        """`logical_date` for the trigger; without one, now."""
        if self.logical_date is NOTSET:
            return {}
        if self.logical_date is None or isinstance(self.logical_date, datetime):
            return {"logical_date": self.logical_date}
        return {"logical_date": as_moment(self.logical_date, self.dag.timezone)}


def _words(states: Iterable[str] | None, default: str) -> tuple[str, ...]:
    return tuple(str(state) for state in states or (default,))


def _seconds(span: float | timedelta) -> float:
    return span.total_seconds() if isinstance(span, timedelta) else float(span)
