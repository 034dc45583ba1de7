"""Where variables and connections are looked up: the environment first, then what the engine's file keeps.

(Airflow: sdk/execution_time/context.py, `_get_variable`, `_get_connection`.) Code of an attempt asks the
engine that runs it; other code of the process (a DAG file that is loaded, say) asks the one opened last.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from flowlet.authoring.context import CURRENT
from flowlet.errors import FlowletError

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE, CONNECTION = "variable", "connection"
BACKEND = "FLOWLET__SECRETS__BACKEND"
_IN_ENVIRONMENT = {VARIABLE: "VAR", CONNECTION: "CONN"}


class Vault(Protocol):
    """What an engine keeps. Blocking but quick; from any thread."""

    def find_secret(self, kind: str, name: str) -> str | None:
        """The text of a variable, or a connection as JSON or URI."""
        ...

    def keep_secret(self, kind: str, name: str, text: str, description: str) -> None:
        """Seen at once by all that this engine runs; on file with the next commit."""
        ...

    def forget_secret(self, kind: str, name: str) -> None:
        """Delete, if it is there."""
        ...

    def secret_names(self, kind: str) -> Sequence[str]:
        """What there is, in order."""
        ...


_open: list[Vault] = []


def opened(vault: Vault) -> None:
    """An engine is open."""
    _open.append(vault)


def closed(vault: object) -> None:
    """It is no longer."""
    if vault in _open:
        _open.remove(vault)


def find_vault() -> Vault | None:
    """The vault of the running attempt's engine, else of the engine opened last, else None."""
    work = getattr(CURRENT.get(), "work", None)
    mine = getattr(work, "xcoms", None)
    if hasattr(mine, "find_secret"):
        return mine
    return _open[-1] if _open else None


def the_vault(wish: str) -> Vault:
    """The same; FlowletError if there is none."""
    vault = find_vault()
    if vault is None:
        raise FlowletError(f"{wish} needs an open Engine: the environment can be read, not written")
    return vault


def find(kind: str, name: str) -> str | None:
    """The text of that name: of the backend that is set, if any, of `FLOWLET_VAR_X`, `AIRFLOW_VAR_X` (or
    `..._CONN_X`), then of the engine's file."""
    if BACKEND in os.environ:
        from flowlet.worker import backends

        text = backends.find(kind, str(name))
        if text is not None:
            return text
    upper = f"{_IN_ENVIRONMENT[kind]}_{str(name).upper()}"
    for prefix in ("FLOWLET_", "AIRFLOW_"):
        text = os.environ.get(prefix + upper)
        if text is not None:
            return text
    vault = find_vault()
    return None if vault is None else vault.find_secret(kind, str(name))
