"""PythonVirtualenvOperator: a function run in a virtual environment of its own, which is kept and used again."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet import settings
from flowlet.errors import FlowletError
from flowlet.operators.branch import BranchMixIn
from flowlet.operators.external_python import IsolatedPythonOperator
from flowlet.operators.processes import explain
from flowlet.operators.python import PythonOperator
from flowlet.operators.threads import in_thread

if TYPE_CHECKING:
    from flowlet.authoring.context import Context

_COMPLETE = "flowlet-complete"


class PythonVirtualenvOperator(IsolatedPythonOperator):
    """Runs a function in a virtual environment with these `requirements` (names, or the text of a file).

    The environment is made once for the same requirements, Python version and options, under
    `venv_cache_path` (default `FLOWLET__OPERATORS__VENV_CACHE_PATH`, else the user's cache folder).
    uv makes and fills it where it is installed, else venv and pip.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "requirements", "index_urls", "index_urls_from_connection_ids", "venv_cache_path",
        *PythonOperator.template_fields,
    )  # fmt: skip
    template_ext: Sequence[str] = (".txt",)

    def __init__(
        self,
        *,
        requirements: Iterable[str] | str | None = None,
        python_version: str | None = None,
        system_site_packages: bool = True,
        pip_install_options: list[str] | None = None,
        index_urls: Collection[str] | str | None = None,
        index_urls_from_connection_ids: Collection[str] | str | None = None,
        venv_cache_path: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if python_version is not None and not isinstance(python_version, str):
            raise self._refuse(f"python_version must be a string such as '3.12', not {python_version!r}")
        self.requirements = _listed(requirements)
        self.python_version = python_version
        self.system_site_packages = system_site_packages
        self.pip_install_options = list(pip_install_options or ())
        self.index_urls = _listed(index_urls)
        self.index_urls_from_connection_ids = _listed(index_urls_from_connection_ids)
        self.venv_cache_path = None if venv_cache_path is None else os.fspath(venv_cache_path)

    async def python_of(self, context: Context) -> str:
        urls = [
            *self.index_urls,
            *(_index_url(context, name) for name in self.index_urls_from_connection_ids),
        ]
        parent = Path(self.venv_cache_path or _cache_folder())
        folder = parent / f"venv-{self._digest(urls)}"
        os.makedirs(parent, exist_ok=True)  # noqa: PTH103  ruff takes Path's methods for slow ones here
        with ExitStack() as stack:
            lock = stack.enter_context(open(f"{folder}.lock", "w"))  # noqa: ASYNC230, PTH123  instant
            await in_thread("flowlet-venv-lock", lambda: _lock(lock.fileno()))
            if not (folder / _COMPLETE).exists():
                await self._make(folder, urls, context)
        return str(folder / "bin" / "python")

    def _wanted(self) -> list[str]:
        """The requirements, and the library that carries values where the environment has only its own."""
        carrier = self.serializer in ("dill", "cloudpickle") and not self.system_site_packages
        return [*self.requirements, *([self.serializer] if carrier else ())]

    def _digest(self, urls: list[str]) -> str:
        import hashlib
        import json
        import sys

        wanted = [
            sorted(self._wanted()), self.pip_install_options, urls, self.python_version or sys.executable,
            self.system_site_packages,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]

    async def _make(self, folder: Path, urls: list[str], context: Context) -> None:
        """A new environment; one that was not finished is removed first."""
        import shutil

        await in_thread("flowlet-venv-remove", lambda: shutil.rmtree(folder, ignore_errors=True))
        wanted = "".join(f"{line}\n" for line in self._wanted() if line.strip())
        make, install = self._commands(folder, with_pip=bool(wanted))
        await self._do(make, folder.parent, context)
        if wanted:
            file = folder / "requirements.txt"
            file.write_text(wanted, encoding="utf-8")
            options = [*self.pip_install_options, *_index_options(urls), "-r", str(file)]
            await self._do([*install, *options], folder.parent, context)
        (folder / _COMPLETE).touch()

    def _commands(self, folder: Path, *, with_pip: bool) -> tuple[list[str], list[str]]:
        """How to make the environment, and how to install into it."""
        import shutil
        import sys
        from importlib.util import find_spec

        uv, base, python = shutil.which("uv"), self._base_python(), str(folder / "bin" / "python")
        site = ["--system-site-packages"] if self.system_site_packages else []
        if uv is not None:
            make = [uv, "venv", "-q", *site, "--python", base, str(folder)]
            return make, [uv, "pip", "install", "--python", python]
        pip = [sys.executable, "-m", "pip", "--python", python, "install"]
        if with_pip and find_spec("pip") is None:
            return [base, "-m", "venv", *site, str(folder)], [python, "-m", "pip", "install"]
        return [
            base,
            "-m",
            "venv",
            *site,
            "--without-pip",
            str(folder),
        ], pip  # to bring pip along takes seconds

    async def _do(self, command: list[str], folder: Path, context: Context) -> None:
        code = await self._run(command, str(folder), context)
        if code:
            raise FlowletError(
                f"the virtual environment cannot be made: {command[0]} {explain(code)}, see the log"
            )

    def _base_python(self) -> str:
        import shutil
        import sys

        if self.python_version is None:
            return sys.executable
        found = shutil.which(f"python{self.python_version}")
        if found is None:
            raise FlowletError(
                f"python_version of task {self.task_id!r}: python{self.python_version} is not on PATH"
            )
        return found


class BranchPythonVirtualenvOperator(BranchMixIn, PythonVirtualenvOperator):
    """Follows what its function returns: the id(s) of tasks or groups."""

    def _finish(self, context: Context, result: Any) -> Any:
        return self.do_branch(context, super()._finish(context, result))


class DecoratedVirtualenv(PythonVirtualenvOperator):
    """What `@task.virtualenv` makes."""

    custom_operator_name: ClassVar = "@task.virtualenv"


class DecoratedBranchVirtualenv(BranchPythonVirtualenvOperator):
    """What `@task.branch_virtualenv` makes."""

    custom_operator_name: ClassVar = "@task.branch_virtualenv"


def _listed(value: Iterable[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else [str(member) for member in value or ()]


def _cache_folder() -> str:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return settings.get("operators", "venv_cache_path", f"{cache}/flowlet/venvs")


def _lock(descriptor: int) -> None:
    """Wait until nobody else makes the same environment (flock(2); freed when the file is closed)."""
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _index_options(urls: list[str]) -> list[str]:
    if not urls:
        return []
    return ["--index-url", urls[0], *(option for url in urls[1:] for option in ("--extra-index-url", url))]


def _index_url(context: Context, conn_id: str) -> str:
    """The address of a package index by its connection, with login and password in it."""
    from urllib.parse import quote

    connection = context["conn"][conn_id]
    scheme, _, host = (connection.host or "").rpartition("://")
    login = f"{quote(connection.login)}:{quote(connection.password or '')}@" if connection.login else ""
    return f"{scheme or 'https'}://{login}{host}"
