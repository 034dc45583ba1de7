"""A function run by another Python: ExternalPythonOperator, and what PythonVirtualenvOperator shares with it.

Airflow: providers/standard/operators/python.py. The function's source is what goes over, not the function:
it imports what it needs inside, and sees nothing else of its module. Arguments and result travel as JSON
(with dates, times and timedeltas), or pickled where the task says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.errors import FlowletError, SkipTask
from flowlet.operators.bash import exit_codes, scratch_folder
from flowlet.operators.branch import BranchMixIn
from flowlet.operators.processes import Group, Lines, explain
from flowlet.operators.python import PythonOperator, call_arguments

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

SERIALIZERS = ("json", "pickle", "dill", "cloudpickle")

#: What of the context goes over, if the function asks for it (Airflow's list; objects stay here).
_SENT_KEYS = frozenset({
    "data_interval_end", "data_interval_start", "ds", "ds_nodash", "execution_date", "expanded_ti_count",
    "logical_date", "params", "partition_key", "run_id", "task_instance_key_str", "task_reschedule_count",
    "templates_dict", "test_mode", "tomorrow_ds", "ts", "ts_nodash", "ts_nodash_with_tz", "yesterday_ds",
})  # fmt: skip


class IsolatedPythonOperator(PythonOperator):
    """Runs `python_callable` in a process of another Python; subclasses say which (`python_of`).

    `skip_on_exit_code`: codes of the process that skip the task. `env_vars` are added to its environment,
    which with `inherit_env=False` holds nothing else. `string_args` are the global
    `virtualenv_string_args` there. `expect_airflow` is accepted; Airflow is not needed.
    """

    string_args: Sequence[str] = ()
    serializer: str = "json"
    skip_on_exit_code: Container[int] = ()
    env_vars: dict[str, str] | None = None
    inherit_env: bool = True
    _running: Group | None = None

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        serializer: str | None = None,
        string_args: Iterable[str] | None = None,
        expect_airflow: bool = True,
        skip_on_exit_code: int | Container[int] | None = None,
        env_vars: dict[str, str] | None = None,
        inherit_env: bool = True,
        use_dill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=python_callable, **kwargs)
        from flowlet.operators import sources

        self._source = sources.source_of(python_callable, self._refuse)
        self.serializer = serializer or ("dill" if use_dill else "json")
        if self.serializer not in SERIALIZERS:
            raise self._refuse(f"serializer must be one of {', '.join(SERIALIZERS)}, not {serializer!r}")
        self.string_args = [str(argument) for argument in string_args or ()]
        self.expect_airflow = expect_airflow
        self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        self.env_vars = env_vars
        self.inherit_env = inherit_env

    @property
    def is_async(self) -> bool:
        return True

    async def python_of(self, context: Context) -> str:
        """The interpreter."""
        raise NotImplementedError(f"{type(self).__name__} defines no python_of()")

    def execute(self, context: Context) -> Any:
        """As `aexecute`, blocking: for subclasses that do more around it."""
        import asyncio

        return asyncio.run(self.aexecute(context))

    async def aexecute(self, context: Context) -> Any:
        sent = {key: value for key, value in context.items() if key in _SENT_KEYS}
        named = call_arguments(
            self.python_callable, self.op_args, self.op_kwargs, sent, templates_dict=self.templates_dict
        )
        python = await self.python_of(context)
        return self._finish(context, await self._call(python, dict(named), context))

    async def _call(self, python: str, named: Mapping[str, Any], context: Context) -> Any:
        from flowlet.operators import sources

        async with scratch_folder() as folder:
            scratch = Path(folder)
            call = sources.write(
                scratch, self._source, self.python_callable.__name__, tuple(self.op_args), named,
                serializer=self.serializer, string_args=self.string_args,
            )  # fmt: skip
            code = await self._run([python, *call], folder, context)
            if code in self.skip_on_exit_code:
                raise SkipTask(f"the process ended with exit code {code}, which says to skip")
            if code:
                raise FlowletError(sources.complaint(scratch) or f"the process {explain(code)}")
            return sources.result(scratch, self.serializer)

    async def _run(self, command: Sequence[str], folder: str, context: Context) -> int:
        """The exit code of a command of this task; what it prints is in the log."""
        ti = context["ti"]
        inherited = dict(os.environ) if self.inherit_env else {}
        env = {**inherited, **(self.env_vars or {}), **ti.subprocess_env()}
        self._running = await Group.start(command, env=env, cwd=folder, waits=ti.log.warning)
        return await self._running.run(Lines("utf-8", lambda line: ti.log.info("%s", line)))

    def on_kill(self) -> None:
        """TERM to all of the process; the cancelled attempt goes on to KILL."""
        if self._running is not None:
            self._running.send(signal.SIGTERM)


class ExternalPythonOperator(IsolatedPythonOperator):
    """Runs a function by the interpreter at `python`, which has what the function needs."""

    template_fields: ClassVar[Sequence[str]] = ("python", *PythonOperator.template_fields)

    def __init__(self, *, python: str, expect_pendulum: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not python:
            raise self._refuse("python must be the path of an interpreter")
        self.python = python
        self.expect_pendulum = expect_pendulum

    async def python_of(self, context: Context) -> str:  # noqa: ARG002  of the class
        import shutil

        found = shutil.which(self.python)
        if found is None:
            raise FlowletError(f"python of task {self.task_id!r} is no program: {self.python}")
        return found


class BranchExternalPythonOperator(BranchMixIn, ExternalPythonOperator):
    """Follows what its function returns: the id(s) of tasks or groups."""

    def _finish(self, context: Context, result: Any) -> Any:
        return self.do_branch(context, super()._finish(context, result))


class DecoratedExternalPython(ExternalPythonOperator):
    """What `@task.external_python` makes."""

    custom_operator_name: ClassVar = "@task.external_python"


class DecoratedBranchExternalPython(BranchExternalPythonOperator):
    """What `@task.branch_external_python` makes."""

    custom_operator_name: ClassVar = "@task.branch_external_python"
