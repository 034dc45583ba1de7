"""`@task.bash`: a function that says which command to run (Airflow: providers/standard/decorators/bash.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.calls import is_coroutine_function
from flowlet.errors import FlowletError
from flowlet.operators.bash import BashOperator
from flowlet.operators.python import call_arguments, keep_call
from flowlet.operators.threads import in_thread

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class DecoratedBash(BashOperator):
    """What `@task.bash` makes: the function's command is rendered as a template, then run."""

    template_fields: ClassVar[Sequence[str]] = ("op_args", "op_kwargs", *BashOperator.template_fields)
    template_fields_renderers: ClassVar = {
        "op_args": "py", "op_kwargs": "py", **BashOperator.template_fields_renderers,
    }  # fmt: skip
    custom_operator_name: ClassVar = "@task.bash"
    overwrite_rtif_after_execution: ClassVar = True

    python_callable: Callable[..., Any]
    op_args: Collection[Any] = ()
    op_kwargs: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(bash_command="", **kwargs)
        keep_call(self, python_callable, op_args, op_kwargs)

    async def aexecute(self, context: Context) -> Any:
        command = await self._command(context)
        if not isinstance(command, str) or not command.strip():
            raise FlowletError(f"the function of task {self.task_id!r} must return a command, not {command!r}")
        self.bash_command = self.render_template(command, context)
        return await super().aexecute(context)

    async def _command(self, context: Context) -> Any:
        function = self.python_callable
        named = call_arguments(function, self.op_args, self.op_kwargs, context)
        if is_coroutine_function(function):
            return await function(*self.op_args, **named)
        return await in_thread(f"flowlet-{self.task_id}", lambda: function(*self.op_args, **named))
