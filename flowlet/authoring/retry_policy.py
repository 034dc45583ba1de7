"""What a task says about its own failures: `retry_policy=` (Airflow: sdk/definitions/retry_policy.py, 3.3).

A policy looks at the exception where the attempt ran; the scheduler hears only what it decided.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

ExceptionSpec = type[BaseException] | str
"""An exception class, or its dotted path."""


class RetryAction(Enum):
    """What is to follow on a failure."""

    RETRY = "retry"
    """Try again, if there are retries left: a policy ends a task earlier, never later."""
    FAIL = "fail"
    """Fail now, whatever retries are left."""
    DEFAULT = "default"
    """As without a policy."""


@attrs.frozen
class RetryDecision:
    """What a policy says of one failure. `retry_delay` None: the task's own delay."""

    action: RetryAction = RetryAction.DEFAULT
    retry_delay: timedelta | None = None
    reason: str | None = None

    @classmethod
    def fail(cls, reason: str | None = None) -> RetryDecision:
        """Fail now."""
        return cls(RetryAction.FAIL, reason=reason)

    @classmethod
    def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> RetryDecision:
        """Try again, after a delay of its own if one is given."""
        return cls(RetryAction.RETRY, delay, reason)

    @classmethod
    def default(cls) -> RetryDecision:
        """As without a policy."""
        return cls()


class RetryPolicy(ABC):
    """Subclasses define `evaluate`. It is not asked about FailTask and a sensor's timeout, which are final.

    It is called in the thread or on the loop of the body that failed; what it raises is an event and in the
    attempt's log, and the task goes on as without a policy. `serialize` (Airflow's) is never called.
    """

    @abstractmethod
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide about one failure; `try_number` counts from 1, `max_tries` is how often it may be tried again."""

    def serialize(self) -> dict[str, Any]:
        """What `deserialize` makes an equal one from."""
        raise NotImplementedError(f"{type(self).__name__} defines no serialize()")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryPolicy:
        """The inverse of `serialize`."""
        raise NotImplementedError(f"{cls.__name__} defines no deserialize()")


@attrs.define
class RetryRule:
    """What is to follow on an exception, or on any of a list: classes or dotted paths of classes.

    With `match_subclasses=False` only the very class counts. A path that cannot be imported matches nothing.
    """

    exception: ExceptionSpec | list[ExceptionSpec]
    action: RetryAction = RetryAction.RETRY
    retry_delay: timedelta | None = None
    reason: str | None = None
    match_subclasses: bool = True

    def __attrs_post_init__(self) -> None:
        for spec in self._specs:
            if isinstance(spec, str) and "." not in spec:
                raise ValueError(f"exception {spec!r} of a RetryRule is no dotted path, as 'builtins.ValueError' is")

    @property
    def _specs(self) -> Sequence[ExceptionSpec]:
        return self.exception if isinstance(self.exception, list) else [self.exception]

    @property
    def exception_path(self) -> str:
        """The dotted paths, with commas between them."""
        return ",".join(map(_path, self._specs))

    def matches(self, exc: BaseException) -> bool:
        """Whether the rule speaks of this exception."""
        classes = tuple(found for spec in self._specs if (found := _class(spec)) is not None)
        return isinstance(exc, classes) if self.match_subclasses else type(exc) in classes

    def serialize(self) -> dict[str, Any]:
        """As JSON has it."""
        paths = [_path(spec) for spec in self._specs]
        shape: dict[str, Any] = {
            "exception": paths if len(paths) > 1 else paths[0],
            "action": self.action.value,
            "match_subclasses": self.match_subclasses,
        }
        if self.retry_delay is not None:
            shape["retry_delay"] = self.retry_delay.total_seconds()
        if self.reason is not None:
            shape["reason"] = self.reason
        return shape

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The inverse of `serialize`."""
        delay = data.get("retry_delay")
        return cls(
            data["exception"], RetryAction(data["action"]), None if delay is None else timedelta(seconds=delay),
            data.get("reason"), data.get("match_subclasses", True),
        )  # fmt: skip


class ExceptionRetryPolicy(RetryPolicy):
    """The first of `rules` that matches decides; `default` where none does."""

    def __init__(self, rules: list[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        self.rules = rules
        self.default = default

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002  of every policy
        max_tries: int,  # noqa: ARG002  of every policy
        context: Context | None = None,  # noqa: ARG002  of every policy
    ) -> RetryDecision:
        for rule in self.rules:
            if rule.matches(exception):
                return RetryDecision(rule.action, rule.retry_delay, rule.reason or f"a rule for {type(exception).__name__}")
        return RetryDecision(self.default)

    def serialize(self) -> dict[str, Any]:
        rules = [rule.serialize() for rule in self.rules]
        return {"__type": "ExceptionRetryPolicy", "rules": rules, "default": self.default.value}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ExceptionRetryPolicy:
        rules = [RetryRule.deserialize(rule) for rule in data["rules"]]
        return cls(rules, RetryAction(data.get("default", "default")))


def _path(spec: ExceptionSpec) -> str:
    return spec if isinstance(spec, str) else f"{spec.__module__}.{spec.__qualname__}"


def _class(spec: ExceptionSpec) -> type[BaseException] | None:
    """The class; None if there is none of that path."""
    if not isinstance(spec, str):
        return spec
    module, _, name = spec.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
