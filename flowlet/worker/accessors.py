"""What templates reach through: `var`, `conn`, `macros`. Nothing is read or imported before it is used."""

from __future__ import annotations

import json
import os
from typing import Any

from flowlet.errors import ConnectionNotFound, FlowletError, VariableNotFound
from flowlet.worker.secrets import SECRETS, is_sensitive


class VariableAccessor:
    """Variables from the environment: `FLOWLET_VAR_X`, then `AIRFLOW_VAR_X`, X in upper case.

    `var.value.x` is the text, `var.json.x` what it holds as JSON. One whose name speaks of a secret is
    masked in logs from then on.
    """

    __slots__ = ("_parse",)

    def __init__(self, *, parse: bool) -> None:
        self._parse = parse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        text = _from_environment("VAR", name)
        if text is None:
            raise VariableNotFound(
                f"variable {name!r} is not set: give FLOWLET_VAR_{name.upper()} in the environment"
            )
        return self._read(name, text)

    def get(self, name: str, default: Any = None) -> Any:
        """The variable, or the default."""
        text = _from_environment("VAR", name)
        return default if text is None else self._read(name, text)

    def _read(self, name: str, text: str) -> Any:
        if is_sensitive(name):
            SECRETS.add(text)
        if not self._parse:
            return text
        try:
            value = json.loads(text)
        except ValueError:
            raise FlowletError(f"variable {name!r} does not hold JSON") from None
        SECRETS.add_sensitive_members(value)
        return value


class Connection:
    """A connection, read from a URI or from JSON (Airflow: `AIRFLOW_CONN_X`)."""

    __slots__ = ("conn_id", "conn_type", "extra", "host", "login", "password", "port", "schema")

    def __init__(self, conn_id: str, text: str) -> None:
        self.conn_id = conn_id
        parts = (
            _parts_of_json(conn_id, text) if text.lstrip().startswith("{") else _parts_of_uri(conn_id, text)
        )
        self.conn_type: str | None = parts.get("conn_type")
        self.host: str | None = parts.get("host")
        self.login: str | None = parts.get("login")
        self.password: str | None = parts.get("password")
        self.port: int | None = parts.get("port")
        self.schema: str | None = parts.get("schema")
        self.extra: str = parts.get("extra") or ""
        if self.password:
            SECRETS.add(self.password)
        SECRETS.add_sensitive_members(self.extra_dejson)

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra fields; empty if they are no JSON object."""
        try:
            extra = json.loads(self.extra) if self.extra else {}
        except ValueError:
            return {}
        return extra if isinstance(extra, dict) else {}

    def __repr__(self) -> str:
        return f"<Connection {self.conn_id}: {self.conn_type}>"


class ConnectionAccessor:
    """Connections from the environment: `FLOWLET_CONN_X`, then `AIRFLOW_CONN_X`, X in upper case."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Connection:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Connection:
        text = _from_environment("CONN", name)
        if text is None:
            raise ConnectionNotFound(
                f"connection {name!r} is not set: give FLOWLET_CONN_{name.upper()} in the environment"
            )
        return Connection(name, text)

    def get(self, name: str, default: Any = None) -> Any:
        """The connection, or the default."""
        return default if _from_environment("CONN", name) is None else self[name]


def _from_environment(kind: str, name: str) -> str | None:
    name = str(name).upper()
    text = os.environ.get(f"FLOWLET_{kind}_{name}")
    return text if text is not None else os.environ.get(f"AIRFLOW_{kind}_{name}")


def _parts_of_json(conn_id: str, text: str) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = json.loads(text)
    except ValueError:
        raise FlowletError(f"connection {conn_id!r} does not hold JSON") from None
    extra = parts.get("extra")
    if extra is not None and not isinstance(extra, str):
        parts["extra"] = json.dumps(extra)
    if parts.get("port") is not None:
        parts["port"] = int(parts["port"])
    return parts


def _parts_of_uri(conn_id: str, text: str) -> dict[str, Any]:
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        uri = urlsplit(text)
        port = uri.port
    except ValueError as problem:
        raise FlowletError(f"connection {conn_id!r} is no URI: {problem}") from None
    extra = dict(parse_qsl(uri.query, keep_blank_values=True))
    return {
        "conn_type": uri.scheme.replace("-", "_") or None,
        "host": unquote(uri.hostname) if uri.hostname else None,
        "login": unquote(uri.username) if uri.username else None,
        "password": unquote(uri.password) if uri.password else None,
        "port": port,
        "schema": unquote(uri.path[1:]) or None,
        "extra": extra.get("__extra__") or (json.dumps(extra) if extra else ""),
    }


class Macros:
    """`macros`: Airflow's functions for templates, and a few modules (sdk/execution_time/macros.py)."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from flowlet.worker import macros

        return macros.find(name)


VAR: dict[str, VariableAccessor] = {
    "value": VariableAccessor(parse=False),
    "json": VariableAccessor(parse=True),
}
CONN = ConnectionAccessor()
MACROS = Macros()
