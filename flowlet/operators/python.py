"""PythonOperator: call a function, `def` or `async def`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.calls import is_async_function, signature_of
from flowlet.authoring.operator import BaseOperator
from flowlet.operators.results import awaited, awaited_here

if TYPE_CHECKING:
    from typing import Unpack

    from flowlet.authoring.arguments import TaskArguments
    from flowlet.authoring.context import Context


class PythonOperator(BaseOperator):
    """Calls `python_callable(*op_args, **op_kwargs)`; what it returns is the task's output.

    The callable gets by name what it asks for of op_kwargs and of the context (`ti`, `ds`, `params`, ...),
    all of it if it has `**kwargs`. An `async def` runs on the loop. A generator is run to its end: what it
    returns is the output. `templates_dict` is rendered and offered in the context. The returned value is
    logged only with `show_return_value_in_logs=True` said (Airflow logs it unless told not to; here it is
    in the XCom, and a log file costs more than most tasks).
    """

    template_fields: ClassVar[Sequence[str]] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"

    python_callable: Callable[..., Any]
    op_args: Collection[Any] = ()
    op_kwargs: Mapping[str, Any] = {}
    templates_dict: dict[str, Any] | None = None
    show_return_value_in_logs: bool | None = None

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: list[str] | None = None,
        show_return_value_in_logs: bool | None = None,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        super().__init__(**kwargs)
        keep_call(self, python_callable, op_args, op_kwargs, templates_dict)
        if templates_exts:
            self.template_ext = templates_exts
        if show_return_value_in_logs is not None:
            self.show_return_value_in_logs = show_return_value_in_logs

    @property
    def is_async(self) -> bool:
        return type(self).execute is PythonOperator.execute and is_async_function(self.python_callable)

    _calls_only: ClassVar[bool] = True
    """The class adds nothing to the call."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._calls_only = all(getattr(cls, name) is getattr(PythonOperator, name) for name in _CALL)

    @property
    def is_plain_call(self) -> bool:
        return (
            self._calls_only
            and self.templates_dict is None
            and not self.show_return_value_in_logs
            and self._pre_execute_hook is None
            and self._post_execute_hook is None
            and self._names_all_it_is_given()
        )

    def _names_all_it_is_given(self) -> bool:
        """Of the context nothing, of op_kwargs everything."""
        try:
            signature = signature_of(self.python_callable)
        except ValueError:  # a builtin that does not tell
            return False
        return not signature.asks_for_context and signature.names_all(self.op_kwargs)

    def call(self, args: Collection[Any], kwargs: Mapping[str, Any]) -> Any:
        """The call and no more, in a thread."""
        return awaited_here(self.python_callable(*args, **kwargs), self.python_callable)

    def acall(self, args: Collection[Any], kwargs: Mapping[str, Any]) -> Awaitable[Any]:
        """The call and no more, on the loop."""
        result = self.python_callable(*args, **kwargs)
        return result if type(result) is CoroutineType else awaited(result)

    def execute(self, context: Context) -> Any:
        """Call it and wait; a coroutine that it gives is run to its end on a loop of this thread."""
        self.op_kwargs = self.determine_kwargs(context)
        return self._finish(context, awaited_here(self.execute_callable(), self.python_callable))

    async def aexecute(self, context: Context) -> Any:
        self.op_kwargs = self.determine_kwargs(context)
        return self._finish(context, await self.aexecute_callable())

    def execute_callable(self) -> Any:
        """The call itself, with op_kwargs as they are for this attempt; for subclasses to put another in its place."""
        return self.python_callable(*self.op_args, **self.op_kwargs)

    async def aexecute_callable(self) -> Any:
        """The same for an `async def`."""
        return await awaited(self.python_callable(*self.op_args, **self.op_kwargs))

    def determine_kwargs(self, context: Context) -> Mapping[str, Any]:
        """The keyword arguments of the call: what it asks for of its own and of the context."""
        return call_arguments(
            self.python_callable, self.op_args, self.op_kwargs, context, templates_dict=self.templates_dict
        )

    def _finish(self, context: Context, result: Any) -> Any:
        """What becomes of the callable's answer; gives the task's output."""
        if self.show_return_value_in_logs:
            context["ti"].log.info("Done. Returned value was: %s", result)
        return result


_CALL = (
    "execute", "aexecute", "execute_callable", "aexecute_callable", "determine_kwargs", "_finish", "pre_execute",
    "post_execute",
)  # fmt: skip


def keep_call(
    task: Any, function: Any, args: Any, kwargs: Any, templates_dict: dict[str, Any] | None = None
) -> None:
    """Give a task what it is to call, checked; what is said nothing of stays in its class."""
    if not callable(function):
        raise task._refuse(f"python_callable must be callable, not {function!r}")
    task.python_callable = function
    if args:
        task._is_one("op_args", args, (Collection,), "a list or a tuple")
        task.op_args = args
    if kwargs:
        task._is_one("op_kwargs", kwargs, (Mapping, str), "a dict")
        task.op_kwargs = kwargs
    if templates_dict is not None:
        task.templates_dict = templates_dict


def call_arguments(
    function: Callable[..., Any],
    args: Collection[Any],
    kwargs: Mapping[str, Any],
    context: Context,
    *,
    templates_dict: dict[str, Any] | None = None,
) -> Mapping[str, Any]:
    """What a task's callable gets by name, beside its positional arguments.

    A builtin that does not tell what it takes gets nothing of the context.
    """
    own = kwargs if templates_dict is None else {"templates_dict": templates_dict, **kwargs}
    try:
        signature = signature_of(function)
    except ValueError:
        return own
    return signature.choose(len(args), own, context)
