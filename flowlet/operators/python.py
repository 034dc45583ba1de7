"""PythonOperator: call a function, `def` or `async def`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.calls import is_coroutine_function, signature_of
from flowlet.authoring.operator import BaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from flowlet.authoring.arguments import TaskArguments
    from flowlet.authoring.context import Context


class PythonOperator(BaseOperator):
    """Calls `python_callable(*op_args, **op_kwargs)`; what it returns is the task's output.

    The callable gets by name what it asks for of the context (`ti`, `ds`, `params`, ...), all of it if it
    has `**kwargs`. An `async def` runs on the loop. `templates_dict` is rendered and offered in the context.
    The returned value is logged only with `show_return_value_in_logs=True` said (Airflow logs it unless
    told not to; here it is in the XCom, and a log file costs more than most tasks).
    """

    template_fields = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"

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
        if not callable(python_callable):
            raise self._refuse(f"python_callable must be callable, not {python_callable!r}")
        self.python_callable = python_callable
        if op_args:
            self.op_args = op_args
        if op_kwargs:
            self.op_kwargs = op_kwargs
        if templates_dict is not None:
            self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = templates_exts
        if show_return_value_in_logs is not None:
            self.show_return_value_in_logs = show_return_value_in_logs

    @property
    def is_async(self) -> bool:
        return type(self).execute is PythonOperator.execute and is_coroutine_function(self.python_callable)

    def execute(self, context: Context) -> Any:
        """Call it and wait; a coroutine that it gives is run to its end on a loop of this thread."""
        result = self.execute_callable(context)
        return self._finish(context, asyncio.run(result) if type(result) is CoroutineType else result)

    async def aexecute(self, context: Context) -> Any:
        return self._finish(context, await self.execute_callable(context))

    def execute_callable(self, context: Context) -> Any:
        """The call itself; a coroutine if the callable is `async def`."""
        return self.python_callable(*self.op_args, **self.determine_kwargs(context))

    def determine_kwargs(self, context: Context) -> Mapping[str, Any]:
        """The keyword arguments of the call: its own, and what it asks for of the context."""
        own = own_arguments(self.op_kwargs, self.templates_dict)
        return signature_of(self.python_callable).choose(len(self.op_args), own, context)

    def _finish(self, context: Context, result: Any) -> Any:
        """What becomes of the callable's answer; gives the task's output."""
        if self.show_return_value_in_logs:
            context["ti"].log.info("Done. Returned value was: %s", result)
        return result


def own_arguments(op_kwargs: Mapping[str, Any], templates_dict: dict[str, Any] | None) -> Mapping[str, Any]:
    """What a task gives its callable by name, the context apart."""
    return op_kwargs if templates_dict is None else {"templates_dict": templates_dict, **op_kwargs}
