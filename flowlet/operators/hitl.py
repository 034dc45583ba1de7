"""Operators that ask a person (Airflow: providers/standard/operators/hitl.py).

While it waits the task is `awaiting_input` and holds nothing. It is answered by `Engine.answer` or
`flowlet tasks answer`. A process that ends meanwhile forgets the question; the next one asks it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.operator import BaseOperator
from flowlet.authoring.params import ParamsDict
from flowlet.authoring.triggers import BaseTrigger, TriggerEvent
from flowlet.clock import from_micros, span_micros
from flowlet.errors import FlowletError, HITLRejectException, HITLTimeoutError
from flowlet.operators.branch import BranchMixIn
from flowlet.operators.skipping import SkipMixin

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class HITLTrigger(BaseTrigger):
    """Waits for an answer to a question: it is given one, by `answer`, and never runs."""

    waits_for_input: ClassVar[bool] = True

    def __init__(
        self, *, subject: str, options: Sequence[str], defaults: Sequence[str] | None, multiple: bool,
        params: ParamsDict, assigned_users: Sequence[str], response_timeout: timedelta | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.subject, self.options, self.defaults, self.multiple = subject, options, defaults, multiple
        self.params, self.assigned_users, self.response_timeout = params, assigned_users, response_timeout
        self._due_at: int | None = None

    def due_at(self, now: int) -> int | None:
        self._due_at = None if self.response_timeout is None else now + span_micros(self.response_timeout)
        return self._due_at

    def due_event(self) -> TriggerEvent:
        """Nobody answered in time: the defaults, or an error."""
        if self.defaults is None:
            return TriggerEvent({"error": f"nobody answered within {self.response_timeout}", "error_type": "timeout"})
        assert self._due_at is not None  # noqa: S101  it is due
        return self._event(self.defaults, self.params.dump(), None, self._due_at, timedout=True)

    def answer(self, options: Sequence[str], params: Mapping[str, Any], by: str | None, now: int) -> TriggerEvent:
        """What an answer comes to; FlowletError if it is none to this question."""
        unknown = [option for option in options if option not in self.options]
        if unknown or not options or (len(options) > 1 and not self.multiple):
            how_many = "some" if self.multiple else "one"
            raise FlowletError(f"{list(options)!r} is no answer to {self.subject!r}: choose {how_many} of {list(self.options)!r}")
        if self.assigned_users and by not in self.assigned_users:
            raise FlowletError(f"{self.subject!r} is to be answered by {', '.join(self.assigned_users)}, not by {by or 'anybody'}")
        strange = sorted(set(params) - set(self.params))
        if strange:
            raise FlowletError(f"{self.subject!r} does not ask for {', '.join(strange)}")
        filled = ParamsDict(self.params)
        filled.update(params)
        return self._event(options, filled.validate(), by, now, timedout=False)

    def _event(self, options: Sequence[str], params: Mapping[str, Any], by: str | None, now: int, *, timedout: bool) -> TriggerEvent:
        return TriggerEvent({
            "chosen_options": list(options), "params_input": dict(params), "responded_at": from_micros(now),
            "responded_by_user": None if by is None else {"id": by, "name": by}, "timedout": timedout,
        })  # fmt: skip

    def __str__(self) -> str:
        return f"an answer to {self.subject!r}: {', '.join(self.options)}"


class HITLOperator(BaseOperator):
    """Asks `subject` with `options`; its output is {chosen_options, params_input, responded_at, responded_by_user, timedout}.

    `multiple` lets more than one option be chosen. `params` are fields of a form, checked when they are filled
    in. After `response_timeout` (for which an execution_timeout is taken, too, as in Airflow) the `defaults` are
    the answer; without them it fails. `notifiers` are called with the context when it asks. `assigned_users` are
    the names of those who may answer; users as dicts go by their `id`.
    """

    template_fields: ClassVar[Sequence[str]] = ("subject", "body")

    def __init__(
        self,
        *,
        subject: str,
        options: Sequence[str],
        body: str | None = None,
        defaults: str | Sequence[str] | None = None,
        multiple: bool = False,
        params: ParamsDict | Mapping[str, Any] | None = None,
        notifiers: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] | None = None,
        assigned_users: Any = None,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.execution_timeout is not None and response_timeout is None:
            response_timeout, self.execution_timeout = self.execution_timeout, None
        self.subject, self.body = subject, body
        self.options = list(options)
        self.defaults = [defaults] if isinstance(defaults, str) else defaults
        self.multiple = multiple
        self.form = ParamsDict(params, owner=f"task {self.task_id!r}", site=self._site)
        self.notifiers = [notifiers] if callable(notifiers) else list(notifiers or ())
        self.assigned_users = _names(assigned_users)
        self.response_timeout = response_timeout
        self._check_question()

    def _check_question(self) -> None:
        if not self.options:
            raise self._refuse("options must not be empty")
        if "_options" in self.form:
            raise self._refuse("params must not have one that is called '_options'")
        if self.defaults is not None and not set(self.defaults) <= set(self.options):
            raise self._refuse(f"defaults {self.defaults!r} must be some of the options {self.options!r}")
        if self.defaults is not None and len(self.defaults) > 1 and not self.multiple:
            raise self._refuse("more than one default needs multiple=True")

    def execute(self, context: Context) -> Any:
        """Ask, and wait without holding anything."""
        for notify in self.notifiers:
            notify(context)
        trigger = HITLTrigger(
            subject=self.subject, options=self.options, defaults=self.defaults, multiple=self.multiple,
            params=self.form, assigned_users=self.assigned_users, response_timeout=self.response_timeout,
        )  # fmt: skip
        context["ti"].log.info("Waiting for %s", trigger)
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:  # noqa: ARG002  for subclasses
        """The answer."""
        if "error" in event:
            raise HITLTimeoutError(event["error"])
        return event


class HITLEntryOperator(HITLOperator):
    """Asks for the fields of a form; the one option is "OK", unless others are given."""

    OK = "OK"

    def __init__(self, **kwargs: Any) -> None:
        if "options" not in kwargs:
            kwargs["options"] = [self.OK]
            kwargs.setdefault("defaults", [self.OK])
        super().__init__(**kwargs)


class ApprovalOperator(SkipMixin, HITLOperator):
    """Asks for approval. Rejected, what comes directly after it is skipped (teardowns excepted), or, with
    `ignore_downstream_trigger_rules`, all that comes after it. `fail_on_reject` fails it instead.
    """

    APPROVE = "Approve"
    REJECT = "Reject"

    def __init__(self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any) -> None:
        fixed = [name for name in ("options", "multiple") if kwargs.pop(name, None) is not None]
        super().__init__(options=[self.APPROVE, self.REJECT], **kwargs)
        if fixed:
            raise self._refuse(f"{fixed[0]} of an approval is not to be chosen")
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        answer = super().execute_complete(context, event)
        if self.APPROVE in answer["chosen_options"]:
            return answer
        if self.fail_on_reject:
            raise HITLRejectException(f"{self.subject!r} was rejected")
        after = self.get_flat_relatives() if self.ignore_downstream_trigger_rules else self.get_direct_relatives()
        self.skip(context["ti"], [task for task in after if not task.is_teardown])
        return answer


class HITLBranchOperator(BranchMixIn, HITLOperator):
    """Follows the tasks or groups that are chosen; `options_mapping` says which id an option stands for."""

    def __init__(self, *, options_mapping: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping = dict(options_mapping or {})
        strange = sorted(set(self.options_mapping) - set(self.options))
        if strange:
            raise self._refuse(f"options_mapping has {strange!r}, which are no options")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        answer = super().execute_complete(context, event)
        return self.do_branch(context, [self.options_mapping.get(option, option) for option in answer["chosen_options"]])


def _names(users: Any) -> list[str]:
    """The names of those who may answer."""
    if users is None:
        return []
    several = users if isinstance(users, (list, tuple)) else [users]
    return [str(user["id"]) if isinstance(user, Mapping) else str(user) for user in several]
