"""Sensors wait for something (Airflow: sdk/bases/sensor.py). Between two pokes nothing is held but its slots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flowlet.authoring.calls import is_coroutine_function, signature_of
from flowlet.authoring.operator import BaseOperator
from flowlet.clock import SECOND
from flowlet.errors import SensorTimeout

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

WEEK = 7 * 24 * 3600.0


class PokeReturnValue:
    """A poke's answer with a value: `xcom_value` is pushed when `is_done`."""

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.is_done = is_done
        self.xcom_value = xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """Subclasses define `poke(context)`, `def` or `async def`; it looks once and says whether it is met.

    poke_interval and timeout: seconds or timedelta; timeout counts from the start of the try (default 7
    days) and fails without a retry. mode "poke" keeps pool slots while it waits, "reschedule" nothing.
    """

    is_sensor = True
    poke_interval: float = 60.0
    timeout: float = WEEK
    mode: str = "poke"
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("poke", "reschedule"):
            raise self._refuse(f"mode={mode!r}: must be 'poke' or 'reschedule'")
        if soft_fail and never_fail:
            raise self._refuse("soft_fail and never_fail exclude each other")
        self.mode = mode
        self.poke_interval = self._seconds("poke_interval", poke_interval)
        self.timeout = WEEK if timeout is None else self._seconds("timeout", timeout)
        self.max_wait = None if max_wait is None else self._seconds("max_wait", max_wait)
        self.soft_fail, self.never_fail, self.silent_fail = soft_fail, never_fail, silent_fail
        self.exponential_backoff = exponential_backoff

    def _seconds(self, name: str, span: float | timedelta) -> float:
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        if not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e10:
            raise self._refuse(f"{name}={span!r}: must be seconds or a timedelta, not negative")
        return float(seconds)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Driven poke by poke; one that overrides `execute` runs as an ordinary body."""
        super().__init_subclass__(**kwargs)
        cls.is_sensor = cls.execute is BaseOperator.execute

    @property
    def is_async(self) -> bool:
        return is_coroutine_function(type(self).poke)

    def poke(self, context: Context) -> Any:
        """Look once: true, false, or a PokeReturnValue."""
        raise NotImplementedError(f"{type(self).__name__} defines no poke()")

    async def apoke(self, context: Context) -> Any:
        return await self.poke(context)

    def read_answer(self, answer: Any) -> tuple[bool, Any]:
        """(met, value to push)."""
        if isinstance(answer, PokeReturnValue):
            return answer.is_done, answer.xcom_value
        return bool(answer), None

    def next_poke_at(self, started_at: int, now: int, pokes: int) -> int:
        """When to look again; a timeout that comes first is noticed when it is due."""
        wait = self.poke_interval
        if self.exponential_backoff:
            wait = min(wait * 2.0 ** min(pokes - 1, 40), self.max_wait if self.max_wait is not None else self.timeout)
        return min(now + int(wait * SECOND), started_at + int(self.timeout * SECOND))

    def check_timeout(self, started_at: int, now: int) -> None:
        """SensorTimeout when its time is over."""
        if now - started_at >= self.timeout * SECOND and now > started_at:
            raise SensorTimeout(f"did not see what it waits for within {self.timeout:g} s")

    def skips_on(self, error: BaseException) -> bool:
        """Whether this end makes it skipped instead of failed."""
        return self.never_fail or (self.soft_fail and isinstance(error, Exception))


class PythonSensor(BaseSensorOperator):
    """Waits until `python_callable(*op_args, **op_kwargs)` returns something true; `def` or `async def`."""

    template_fields = ("templates_dict", "op_args", "op_kwargs")

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
        if not callable(python_callable):
            raise self._refuse(f"python_callable must be callable, not {python_callable!r}")
        self.python_callable = python_callable
        self.op_args = list(op_args or ())
        self.op_kwargs = dict(op_kwargs or {})
        self.templates_dict = templates_dict

    @property
    def is_async(self) -> bool:
        return is_coroutine_function(self.python_callable)

    def poke(self, context: Context) -> Any:
        arguments = signature_of(self.python_callable).choose(len(self.op_args), self.op_kwargs, context)
        return self.python_callable(*self.op_args, **arguments)


class DecoratedSensor(PythonSensor):
    """What `@task.sensor` makes."""

    custom_operator_name = "@task.sensor"
