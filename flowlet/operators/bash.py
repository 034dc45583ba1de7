"""BashOperator: a command, with its output as the log and its last line as the value."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.authoring.operator import BaseOperator
from flowlet.errors import FlowletError, SkipTask
from flowlet.operators.processes import GRACE, Group, Lines, explain
from flowlet.operators.threads import in_thread

if TYPE_CHECKING:
    from typing import Unpack

    from flowlet.authoring.arguments import TaskArguments
    from flowlet.authoring.context import Context

#: Linux allows 128 KiB for one argument (MAX_ARG_STRLEN, execve(2)); what is longer goes through a file.
_LONGEST_ARGUMENT = 100_000


class BashOperator(BaseOperator):
    """Runs `bash_command` with bash, in a process group of its own, in `cwd` or else in an empty folder.

    The last line of its output is the task's output, after `output_processor`. Exit code 0 succeeds, one in
    `skip_on_exit_code` skips the task, any other fails it. `env` replaces the environment, with `append_env`
    it is added; AIRFLOW_CTX_* variables are always there. stdin is empty. A command that ends in `.sh` or
    `.bash` is the name of a template file (a space behind it prevents that); an empty one does nothing. When the attempt is stopped,
    TERM and then KILL go to all processes that the command started; when the command has ended and its
    output too, to those that it left running (Airflow lets them live).
    """

    template_fields: ClassVar[Sequence[str]] = ("bash_command", "env", "cwd")
    template_ext: Sequence[str] = (".sh", ".bash")
    template_fields_renderers: ClassVar = {"bash_command": "bash", "env": "json"}
    ui_color = "#f0ede4"

    env: dict[str, str] | None = None
    append_env: bool = False
    output_encoding: str = "utf-8"
    skip_on_exit_code: Container[int] = (99,)
    cwd: str | None = None
    output_processor: Callable[[str], Any] | None = None
    _running: Group | None = None

    def __init__(
        self,
        *,
        bash_command: str,
        env: dict[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] | None = None,
        **kwargs: Unpack[TaskArguments],
    ) -> None:
        super().__init__(**kwargs)
        self._is_one("bash_command", bash_command, (str,), "a string")
        self.bash_command = bash_command
        if env is not None:
            self._is_one("env", env, (Mapping, str), "a dict of strings")
            self.env = env
        if append_env:
            self.append_env = append_env
        if output_encoding != "utf-8":
            self.output_encoding = self._checked_encoding(output_encoding)
        if skip_on_exit_code != 99:
            self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        if cwd is not None:
            self.cwd = cwd
        if output_processor is not None:
            self.output_processor = output_processor

    def _checked_encoding(self, name: str) -> str:
        import codecs

        try:
            return codecs.lookup(name).name
        except LookupError:
            raise self._refuse(f"output_encoding {name!r} is not known to Python") from None

    @property
    def is_async(self) -> bool:
        return type(self).execute is BashOperator.execute  # else a subclass wraps the blocking call

    def execute(self, context: Context) -> Any:
        """As `aexecute`, blocking: for subclasses that do more around it."""
        return asyncio.run(self.aexecute(context))

    async def aexecute(self, context: Context) -> Any:
        return await self.run_command(self.bash_command, context)

    async def run_command(self, command: str, context: Context) -> Any:
        """Run a command as this operator says; gives its last line, processed."""
        if not isinstance(command, str):
            raise FlowletError(f"bash_command of task {self.task_id!r} must be a string, not {command!r}")
        log = context["ti"].log
        lines = Lines(self.output_encoding, lambda line: log.info("%s", line))
        env = self.get_env(context)
        async with scratch_folder() as scratch:
            cwd = scratch if self.cwd is None else self._existing(self.cwd)
            self._running = await Group.start(
                argv_of(command, scratch), env=env, cwd=cwd, waits=lambda text: context["ti"].note("no_process", text)
            )
            code = await self._running.run(lines)
            if await self._running.end_what_is_left():
                log.warning("processes that the command left running were ended; `setsid` starts one that lives on")
        return self._value(code, lines)

    def _value(self, code: int, lines: Lines) -> Any:
        if code in self.skip_on_exit_code:
            raise SkipTask(f"the command ended with exit code {code}, which says to skip")
        if code:
            raise FlowletError(f"the command {explain(code)}")
        if self.output_processor is not None:
            return self.output_processor(lines.last)
        return lines.last if self.do_xcom_push else ""

    def get_env(self, context: Context) -> dict[str, str]:
        """What the command finds in its environment."""
        inherit = self.env is None or self.append_env
        env = {**(os.environ if inherit else {}), **(self.env or {})}
        for name, value in env.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise FlowletError(f"env of task {self.task_id!r} holds {name!r}: {value!r}, not strings")
        about_attempt = getattr(context["ti"], "subprocess_env", dict)
        return {**env, **about_attempt()}

    def _existing(self, folder: str) -> str:
        if not os.path.isdir(folder):  # noqa: PTH112  a Path costs more than the question
            problem = "is not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110  as above
            raise FlowletError(f"cwd of task {self.task_id!r} {problem}: {folder}")
        return folder

    def on_kill(self) -> None:
        """TERM to all processes of the command; the cancelled attempt goes on to KILL."""
        if self._running is not None:
            self._running.send(signal.SIGTERM)


def argv_of(command: str, scratch: str) -> list[str]:
    """How to run it: as an argument, or from a file in the scratch folder where it is too long for one."""
    import shutil

    bash = shutil.which("bash")
    if bash is None:
        raise FlowletError("bash is not found on PATH")
    if len(command.encode()) <= _LONGEST_ARGUMENT:
        return [bash, "-c", command]
    script = os.path.join(scratch, "command.sh")  # noqa: PTH118  a Path costs more than the string
    with open(script, "w", encoding="utf-8") as file:  # noqa: PTH123  as above; once, for a long command
        file.write(command)
    return [bash, script]


def exit_codes(value: Any) -> Container[int]:
    """Exit codes as something that contains them; None is none."""
    if value is None:
        return ()
    return value if isinstance(value, Container) else (value,)


@asynccontextmanager
async def scratch_folder() -> AsyncIterator[str]:
    """A folder that is empty at first and is gone afterwards."""
    import tempfile

    folder = tempfile.mkdtemp(prefix="flowlet-")
    try:
        yield folder
    finally:
        try:
            os.rmdir(folder)  # noqa: PTH106  nearly always enough, and quick
        except OSError:
            await _remove(folder)


async def _remove(folder: str) -> None:
    """Remove what may hold a lot: off the loop, and not for ever in the way of a cancelled attempt."""
    import shutil

    import anyio

    with anyio.move_on_after(GRACE, shield=True):
        await in_thread("flowlet-remove", lambda: shutil.rmtree(folder, ignore_errors=True))
