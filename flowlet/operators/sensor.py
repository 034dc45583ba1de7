"""Sensors wait for something: BaseSensorOperator and PythonSensor (Airflow: sdk/bases/sensor.py).

A sensor looks once per execution; whoever runs it waits in between, and holds neither thread nor coroutine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet import settings
from flowlet.authoring.arguments import LONGEST
from flowlet.authoring.calls import is_coroutine_function
from flowlet.authoring.operator import BaseOperator
from flowlet.clock import SECOND
from flowlet.errors import (
    FailTask,
    FlowletError,
    PokeAgain,
    SensorTimeout,
    SkipTask,
    TaskDeferralTimeout,
    TaskTimeout,
)
from flowlet.operators import backoff
from flowlet.operators.python import call_arguments, keep_call
from flowlet.operators.results import awaited, awaited_here

if TYPE_CHECKING:
    from typing import Unpack

    from flowlet.authoring.arguments import TaskArguments
    from flowlet.authoring.context import Context
    from flowlet.authoring.triggers import TaskDeferred

WEEK = 7 * 24 * 3600.0

#: A sensor that looks without a pause still lets time go by.
_SHORTEST = 0.001

#: What ends a sensor for good, whatever silent_fail says; soft_fail makes a skip of these and of no others.
_FINAL = (SensorTimeout, TaskTimeout, FailTask)


class PokeReturnValue:
    """A poke's answer with a value: `xcom_value` is the task's output when `is_done`."""

    __slots__ = ("is_done", "xcom_value")

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.is_done = is_done
        self.xcom_value = xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """Subclasses define `poke(context)`, `def` or `async def`; it looks once and says whether it is met.

    `poke_interval`, `timeout` and `max_wait` are seconds or timedeltas. `timeout` (default
    `FLOWLET__SENSORS__DEFAULT_TIMEOUT`, else 7 days) counts from the start of the try; when it is due there
    is one last look, then SensorTimeout, without a retry. mode "poke" keeps its place in pools and limits
    while it waits, "reschedule" nothing. `exponential_backoff` doubles the wait from poke to poke, up to
    `max_wait`. `soft_fail`: a timeout and FailTask skip it. `never_fail`: any error of a poke skips it.
    `silent_fail`: an error of a poke counts as not met. A subclass may define `execute` around
    `super().execute(context)`: until the sensor is met, it is called anew for each look.
    """

    ui_color = "#e6f1f2"
    is_sensor = True
    valid_modes: Iterable[str] = ("poke", "reschedule")

    poke_interval: float = 60.0
    timeout: float = WEEK
    mode: str = "poke"
    defers_between_looks: bool = False
    """Whether it is `deferred` until its next look."""
    soft_fail: bool = False
    never_fail: bool = False
    silent_fail: bool = False
    exponential_backoff: bool = False
    max_wait: float | None = None

    def __init__(
        self,
        *,
        poke_interval: float | timedelta = 60,
        timeout: float | timedelta | None = None,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: float | timedelta | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        super().__init__(**kwargs)
        if mode not in self.valid_modes:
            raise self._refuse(f"mode must be one of {', '.join(map(repr, self.valid_modes))}, not {mode!r}")
        if soft_fail and never_fail:
            raise self._refuse("soft_fail and never_fail exclude each other")
        if timeout is None:
            timeout = settings.get_float("sensors", "default_timeout", WEEK, at_least=0)
        self._hold(
            mode=mode,
            poke_interval=self._seconds("poke_interval", poke_interval),
            timeout=self._seconds("timeout", timeout),
            max_wait=None if max_wait is None else self._seconds("max_wait", max_wait),
            soft_fail=bool(soft_fail),
            never_fail=bool(never_fail),
            silent_fail=bool(silent_fail),
            exponential_backoff=bool(exponential_backoff),
        )

    def _hold(self, **values: Any) -> None:
        """Keep what differs from the class."""
        for name, value in values.items():
            if value != getattr(self, name):
                setattr(self, name, value)

    def _seconds(self, name: str, span: Any) -> float:
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
            raise self._refuse(f"{name} must be seconds or a timedelta, and not negative: {span!r}")
        return float(min(seconds, LONGEST.total_seconds()))

    @property
    def is_async(self) -> bool:
        return type(self).execute is BaseSensorOperator.execute and self._pokes_on_loop

    @property
    def _pokes_on_loop(self) -> bool:
        return is_coroutine_function(type(self).poke)

    @property
    def reschedule(self) -> bool:
        """Whether it gives everything back between two looks."""
        return self.mode == "reschedule"

    # -- looking --------------------------------------------------------------------------------------

    def poke(self, context: Context) -> Any:
        """Look once: true, false, or a PokeReturnValue."""
        raise NotImplementedError(f"{type(self).__name__} defines no poke()")

    def execute(self, context: Context) -> Any:
        """One look: the task's output if it is met. PokeAgain if not: to be executed again later."""
        try:
            answer = awaited_here(self.poke(context), self.poke)
        except Exception as error:
            answer = self.after_error(error)
        return self._read(answer)

    async def aexecute(self, context: Context) -> Any:
        try:
            answer = await awaited(self.poke(context))
        except Exception as error:
            answer = self.after_error(error)
        return self._read(answer)

    def _read(self, answer: Any) -> Any:
        if not answer:
            raise PokeAgain(f"sensor {self.task_id!r} does not see yet what it waits for")
        return answer.xcom_value if isinstance(answer, PokeReturnValue) else None

    def after_error(self, error: Exception) -> bool:
        """What an error of a look comes to: not met (False), SkipTask, or the error as it is."""
        if isinstance(error, SkipTask):
            raise error
        if self.silent_fail and not isinstance(error, _FINAL):
            self.log.error("The poke failed, which silent_fail counts as not met", exc_info=error)
            return False
        rule = self.skips_by(error)
        if rule is None:
            raise error
        raise SkipTask(f"{rule}: {type(error).__name__}: {error}") from error

    def resume_execution(self, next_method: str | None, next_kwargs: Mapping[str, Any] | None, context: Context) -> Any:
        """A sensor that defers ends as one that pokes: its timeout is SensorTimeout, and soft_fail and never_fail hold."""
        try:
            result = super().resume_execution(next_method, next_kwargs, context)
        except Exception as error:
            raise self._after_wait(error) from error
        return self._resume_on_loop(result) if isinstance(result, CoroutineType) else result

    async def _resume_on_loop(self, result: CoroutineType[Any, Any, Any]) -> Any:
        try:
            return await result
        except Exception as error:
            raise self._after_wait(error) from error

    def _after_wait(self, error: Exception) -> Exception:
        """What an error of the wait, or of going on after it, comes to (Airflow: `BaseSensorOperator.resume_execution`)."""
        if isinstance(error, (SkipTask, PokeAgain)):
            return error
        end = SensorTimeout(str(error)) if isinstance(error, TaskDeferralTimeout) else error
        rule = "soft_fail" if self.soft_fail and isinstance(end, FlowletError) else "never_fail" if self.never_fail else None
        return end if rule is None else SkipTask(f"{rule}: {type(end).__name__}: {end}")

    def skips_by(self, error: Exception) -> str | None:
        """The argument by which this error of a look makes a skip; None if it fails the sensor."""
        if self.soft_fail and isinstance(error, _FINAL):
            return "soft_fail"
        return "never_fail" if self.never_fail else None

    def look_again(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002  which moment it was
        """How it goes on if it was deferred until its next look."""
        return self.execute(context)

    # -- waiting --------------------------------------------------------------------------------------

    def next_poke_at(self, started_at: int, now: int, pokes: int) -> int:
        """When to look again after `pokes` looks of this try that did not see it (moments in microseconds).

        Never later than the timeout; SensorTimeout, or SkipTask with soft_fail, if that is reached.
        """
        deadline = started_at + round(self.timeout * SECOND)
        if now >= deadline:
            text = f"did not see what it waits for within {self.timeout:g} s"
            raise SkipTask(f"soft_fail: {text}") if self.soft_fail else SensorTimeout(text)
        wait = self._backed_off(started_at, now, pokes) if self.exponential_backoff else self.poke_interval
        return min(now + round(max(wait, _SHORTEST) * SECOND), deadline)

    def until_next_look(self, moment: int) -> TaskDeferred:
        """The wish to be deferred until then."""
        from flowlet.operators.triggers import until

        return until(moment, method_name="look_again")

    def _backed_off(self, started_at: int, now: int, pokes: int) -> float:
        """A rescheduled sensor does not remember its looks: their number follows from the time gone by."""
        key = f"{self.dag_id}#{self.task_id}#{started_at}"
        if self.reschedule or self.defers_between_looks:
            pokes = backoff.looks_within((now - started_at) / SECOND, self.poke_interval, key)
        wait = backoff.wait_after(pokes, self.poke_interval, key)
        return min(wait, self.max_wait) if self.max_wait else wait


class PythonSensor(BaseSensorOperator):
    """Waits until `python_callable(*op_args, **op_kwargs)` returns something true; `def` or `async def`.

    The callable gets by name what it asks for of the context, as a PythonOperator's does.
    """

    template_fields: ClassVar[Sequence[str]] = ("templates_dict", "op_args", "op_kwargs")

    python_callable: Callable[..., Any]
    op_args: Collection[Any] = ()
    op_kwargs: Mapping[str, Any] = {}
    templates_dict: dict[str, Any] | None = None

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep_call(self, python_callable, op_args, op_kwargs, templates_dict)

    @property
    def _pokes_on_loop(self) -> bool:
        if type(self).poke is not PythonSensor.poke:
            return super()._pokes_on_loop
        return is_coroutine_function(self.python_callable)

    def poke(self, context: Context) -> Any:
        """The callable's answer; a coroutine if it is `async def`."""
        arguments = call_arguments(
            self.python_callable, self.op_args, self.op_kwargs, context, templates_dict=self.templates_dict
        )
        return self.python_callable(*self.op_args, **arguments)


class DecoratedSensor(PythonSensor):
    """What `@task.sensor` makes."""

    custom_operator_name: ClassVar = "@task.sensor"
