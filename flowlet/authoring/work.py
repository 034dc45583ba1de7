"""What a worker calls of an operator: its body, what surrounds it, its copy for one attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flowlet.authoring.context import CURRENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Mapping
    from datetime import timedelta
    from logging import Logger
    from typing import NoReturn

    from flowlet.authoring.context import Context
    from flowlet.authoring.triggers import BaseTrigger


class Work:
    """The part of an operator that runs. Subclasses say what of it is theirs."""

    template_fields: ClassVar[Sequence[str]] = ()
    """The attributes that are rendered before each attempt."""
    template_ext: Sequence[str] = ()
    """A template field that ends so is the name of a file whose text is rendered."""

    _pre_execute_hook: Any = None
    _post_execute_hook: Any = None

    @property
    def is_bodyless(self) -> bool:
        """Whether there is nothing to execute: it is set `success` when its turn comes."""
        return False

    @property
    def is_plain_call(self) -> bool:
        """Whether the work is `python_callable(*op_args, **op_kwargs)` and no more: nobody asks for a context."""
        return False

    def call(self, args: Collection[Any], kwargs: Mapping[str, Any]) -> Any:
        """The work of an operator whose `is_plain_call` is true, in a thread."""
        raise NotImplementedError(f"{type(self).__name__} defines no call()")

    def acall(self, args: Collection[Any], kwargs: Mapping[str, Any]) -> Awaitable[Any]:
        """The same on the loop."""
        raise NotImplementedError(f"{type(self).__name__} defines no acall()")

    @property
    def is_async(self) -> bool:
        """Whether the worker awaits `aexecute` on the loop; otherwise it calls `execute` in a thread."""
        return False

    def execute(self, context: Context) -> Any:
        """The work. What it returns is the XCom `return_value`."""
        raise NotImplementedError(f"{type(self).__name__} defines no execute()")

    async def aexecute(self, context: Context) -> Any:
        """The work of an operator whose `is_async` is true."""
        raise NotImplementedError(f"{type(self).__name__} defines no aexecute()")

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str | None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> NoReturn:
        """Let go of everything until `trigger` fires; then `method_name(context, event=payload, **kwargs)` is
        called of a fresh copy of the operator, in the same try. It may be `async def`.

        After `timeout` (a timedelta or seconds) TaskDeferralTimeout is raised instead of the call, and
        TaskDeferralError if the trigger fails. What was pushed to XCom stays; all else of the attempt is gone.
        `method_name` may be None if the trigger ends the task itself. Nothing of the wait is stored: if the
        process ends meanwhile, the attempt ends as interrupted, without counting as a try, and the task begins
        again from `execute` at the next start. execution_timeout limits each call, not the wait.
        """
        from flowlet.authoring.triggers import TaskDeferred

        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str | None, next_kwargs: Mapping[str, Any] | None, context: Context) -> Any:
        """Called instead of `execute` when the task goes on: by its method, or to be told why it cannot."""
        from flowlet.authoring.triggers import TRIGGER_FAILED

        arguments = next_kwargs or {}
        if next_method == TRIGGER_FAILED:
            raise arguments["error"]
        if next_method is None:
            raise TypeError(f"{type(self).__name__} deferred without a method_name, and its trigger did not end it")
        return getattr(self, next_method)(context, **arguments)

    @property
    def log(self) -> Logger:
        """The log of the running attempt; outside of one, the logger `flowlet.task`."""
        attempt = CURRENT.get()
        if attempt is None:
            import logging

            return logging.getLogger("flowlet.task")
        log: Logger = attempt.context["ti"].log
        return log

    def pre_execute(self, context: Context) -> None:
        """Called before the work, in its thread."""
        if self._pre_execute_hook is not None:
            self._pre_execute_hook(context)

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Called after the work, with what it returned."""
        if self._post_execute_hook is not None:
            self._post_execute_hook(context, result)

    def on_kill(self) -> None:
        """Called when an attempt is stopped: free what it holds outside of this process."""

    def copy_for_attempt(self) -> Self:
        """A shallow copy for one attempt to render and to write on; the DAG's own stays as it is."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def render_template(self, content: Any, context: Context) -> Any:
        """A value with the templates and XComArgs in it filled in, while this attempt runs."""
        return context["ti"].render(content, context)

    def render_template_fields(self, context: Context) -> None:
        """Fill in all template fields, for an operator that set them itself."""
        for field in self.template_fields:
            if hasattr(self, field):
                setattr(self, field, self.render_template(getattr(self, field), context))
