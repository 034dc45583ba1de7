"""BashSensor: wait until a command succeeds (Airflow: providers/standard/sensors/bash.py)."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet.errors import FailTask
from flowlet.operators.bash import argv_of, scratch_folder
from flowlet.operators.processes import Group, Lines, explain
from flowlet.operators.sensor import BaseSensorOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class BashSensor(BaseSensorOperator):
    """Waits until `bash_command` ends with exit code 0.

    Any other code means to look again; with `retry_exit_code` only that one does, and others fail the
    sensor for good. `env` replaces the environment. What it prints is in the log.
    """

    template_fields: ClassVar[Sequence[str]] = ("bash_command", "env")
    template_ext: Sequence[str] = (".sh", ".bash")

    _running: Group | None = None

    def __init__(
        self,
        *,
        bash_command: str,
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        retry_exit_code: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.output_encoding = output_encoding
        self.retry_exit_code = retry_exit_code

    async def poke(self, context: Context) -> bool:
        import os

        ti = context["ti"]
        env = {**(os.environ if self.env is None else self.env), **ti.subprocess_env()}
        lines = Lines(self.output_encoding, lambda line: ti.log.info("%s", line))
        async with scratch_folder() as scratch:
            self._running = await Group.start(
                argv_of(self.bash_command, scratch), env=env, cwd=scratch, waits=ti.log.warning
            )
            code = await self._running.run(lines)
        if code and self.retry_exit_code is not None and code != self.retry_exit_code:
            raise FailTask(f"the command {explain(code)}")
        return code == 0

    def on_kill(self) -> None:
        """TERM to all processes of the command; the cancelled attempt goes on to KILL."""
        if self._running is not None:
            self._running.send(signal.SIGTERM)
