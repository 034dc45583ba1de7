"""What templates reach by name: `macros`, `var`, `conn`. Variables come from the environment."""

from __future__ import annotations

import os
from typing import Any

from flowlet.errors import FlowletError
from flowlet.worker.secrets import is_sensitive, register_secret


class _Macros:
    """Airflow's macros (sdk/execution_time/macros.py), imported when a template names one."""

    def __getattr__(self, name: str) -> Any:
        from flowlet.worker import macros

        try:
            return getattr(macros, name)
        except AttributeError:
            raise AttributeError(f"there is no macro {name!r}") from None


class _Variables:
    """`var.value.x` or `var.json.x`: FLOWLET_VAR_X, then AIRFLOW_VAR_X."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def get(self, name: str, default: Any = None) -> Any:
        text = _from_environment("VAR", name)
        if text is None:
            return default
        if is_sensitive(name):
            register_secret(text)
        if not self._as_json:
            return text
        import json

        return json.loads(text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.get(name, self)
        if value is self:
            raise FlowletError(f"there is no variable {name!r}: set FLOWLET_VAR_{name.upper()} in the environment")
        return value


class _Var:
    value = _Variables(as_json=False)
    json = _Variables(as_json=True)


class _Connections:
    """`conn.x`: the text of FLOWLET_CONN_X, then AIRFLOW_CONN_X."""

    def get(self, name: str, default: Any = None) -> Any:
        text = _from_environment("CONN", name)
        if text is None:
            return default
        register_secret(text)
        return text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.get(name)
        if value is None:
            raise FlowletError(f"there is no connection {name!r}: set FLOWLET_CONN_{name.upper()} in the environment")
        return value


def _from_environment(kind: str, name: str) -> str | None:
    for prefix in ("FLOWLET", "AIRFLOW"):
        text = os.environ.get(f"{prefix}_{kind}_{name.upper()}")
        if text is not None:
            return text
    return None


MACROS = _Macros()
VAR = _Var()
CONN = _Connections()
