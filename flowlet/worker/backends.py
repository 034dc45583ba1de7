"""Places of one's own for secrets, asked before all others: `FLOWLET__SECRETS__BACKEND`.

(Airflow: secrets/base_secrets.py; docs: security/secrets/secrets-backend.) The setting names a class, for
instance of a provider package; `FLOWLET__SECRETS__BACKEND_KWARGS` are its arguments, as JSON.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from flowlet import settings
from flowlet.errors import FlowletError
from flowlet.settings import SettingError, variable


class BaseSecretsBackend:
    """A place where variables and connections are looked up; a subclass says how."""

    @staticmethod
    def build_path(path_prefix: str, secret_id: str, sep: str = "/") -> str:
        """Where a secret is found below a prefix."""
        return f"{path_prefix}{sep}{secret_id}"

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """A connection as URI or JSON, or None."""
        raise NotImplementedError

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """The text of a variable, or None."""
        raise NotImplementedError

    def get_config(self, key: str) -> str | None:  # noqa: ARG002  for subclasses
        """A setting, or None."""
        return None


def find(kind: str, name: str) -> str | None:
    """What the backend has under that name; None without one."""
    path = settings.get("secrets", "backend")
    if path is None:
        return None
    backend = _backend(path, settings.get("secrets", "backend_kwargs", "{}"))
    try:
        found: str | None = backend.get_variable(name) if kind == "variable" else backend.get_conn_value(name)
    except NotImplementedError:
        return None
    return found


@cache
def _backend(path: str, kwargs: str) -> Any:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    try:
        made = getattr(import_module(module), name)
        arguments = json.loads(kwargs)
    except (ImportError, AttributeError) as error:
        raise SettingError(f"{variable('secrets', 'backend')}={path!r}: {error}") from None
    except ValueError as error:
        raise SettingError(f"{variable('secrets', 'backend_kwargs')} is not JSON: {error}") from None
    try:
        return made(**arguments)
    except Exception as error:
        raise FlowletError(f"the secrets backend {path} cannot be made: {type(error).__name__}: {error}") from error
