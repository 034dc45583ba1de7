"""Hooks of Airflow's standard provider: a folder, and a process."""

from __future__ import annotations

import logging
import os
import subprocess
from typing import Any

from flowlet.named_tuple import NamedTuple
from flowlet.worker.connections import BaseHook


class FSHook(BaseHook):
    """The folder that a connection of type `fs` names in its extra field `path`."""

    conn_name_attr = "fs_conn_id"
    default_conn_name = "fs_default"
    conn_type = "fs"
    hook_name = "File (path)"

    def __init__(self, fs_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.basepath: str = self.get_connection(fs_conn_id).extra_dejson.get("path", "")

    def get_conn(self) -> None:
        """There is nothing to connect to."""

    def get_path(self) -> str:
        """The folder."""
        return self.basepath


class SubprocessResult(NamedTuple):
    """How a process ended, and the last line that it printed."""

    exit_code: int
    output: str


class SubprocessHook(BaseHook):
    """Runs one command after the other; what it prints is in the attempt's log."""

    sub_process: subprocess.Popen[bytes] | None = None

    def run_command(
        self, command: list[str], env: dict[str, str] | None = None, output_encoding: str = "utf-8", cwd: str | None = None
    ) -> SubprocessResult:
        """Run it to its end; `env` is its whole environment, by default this process's with AIRFLOW_CTX_*."""
        log = logging.getLogger("flowlet.task")
        line = ""
        self.sub_process = subprocess.Popen(  # noqa: S603  the user's command
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=_environment(env), start_new_session=True
        )
        with self.sub_process as process:
            for raw in process.stdout or ():
                line = raw.decode(output_encoding, errors="backslashreplace").rstrip()
                log.info("%s", line)
        return SubprocessResult(exit_code=process.returncode, output=line)

    def send_sigterm(self) -> None:
        """End it, with the processes that it started."""
        import signal

        if self.sub_process is not None and self.sub_process.poll() is None:
            os.killpg(self.sub_process.pid, signal.SIGTERM)


def _environment(env: dict[str, str] | None) -> dict[str, str]:
    from flowlet.authoring.context import CURRENT

    attempt = CURRENT.get()
    about = {} if attempt is None else attempt.context["ti"].subprocess_env()
    return {**(os.environ if env is None else env), **about}
