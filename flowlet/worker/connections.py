"""Connections: where something is and how to get in (Airflow: sdk/definitions/connection.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from flowlet.errors import ConnectionNotFound, FlowletError
from flowlet.worker import vault
from flowlet.worker.secrets import SECRETS

_PARTS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")


class Connection:
    """A connection: made of its parts or of a URI, or found by its id: `Connection.get("warehouse")`.

    It is looked up in the environment (`FLOWLET_CONN_X`, `AIRFLOW_CONN_X`, X in upper case; a URI or JSON), then
    in the file of the engine. Its password, and what stands under sensitive names in `extra`, are masked in logs.
    """

    EXTRA_KEY = "__extra__"

    def __init__(self, conn_id: str, text: str | None = None, *, uri: str | None = None, **parts: Any) -> None:
        """`text`: a URI, or JSON; as `uri`. Either that or parts: conn_type, host, login, password, ..."""
        unknown = parts.keys() - set(_PARTS)
        if unknown:
            raise FlowletError(f"connection {conn_id!r} has no part {min(unknown)!r}; there are {', '.join(_PARTS)}")
        text = uri if text is None else text
        if text is not None:
            if parts:
                raise FlowletError(f"connection {conn_id!r}: give a URI or its parts, not both")
            is_json = text.lstrip().startswith("{")
            parts = _parts_of_json(conn_id, text) if is_json else _parts_of_uri(conn_id, text)
        self.conn_id = conn_id
        self.conn_type: str | None = parts.get("conn_type")
        self.description: str | None = parts.get("description")
        self.host: str | None = parts.get("host")
        self.login: str | None = parts.get("login")
        self.password: str | None = parts.get("password")
        self.schema: str | None = parts.get("schema")
        self.port: int | None = _port(conn_id, parts.get("port"))
        extra = parts.get("extra")
        self.extra: str = extra if isinstance(extra, str) else json.dumps(extra) if extra else ""
        if self.password:
            SECRETS.add(self.password)
        SECRETS.add_sensitive_members(self.extra_dejson)

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """The connection of that id. ConnectionNotFound."""
        text = vault.find(vault.CONNECTION, conn_id)
        if text is None:
            raise ConnectionNotFound(
                f"connection {conn_id!r} is not set: give FLOWLET_CONN_{str(conn_id).upper()} in the environment,"
                f" `flowlet connections add {conn_id}` or engine.set_connection({conn_id!r}, ...)"
            )
        return Connection(conn_id, text)

    @classmethod
    async def async_get(cls, conn_id: str) -> Connection:
        """The same, for coroutines."""
        return cls.get(conn_id)

    @classmethod
    def from_uri(cls, uri: str, conn_id: str) -> Self:
        """`postgres://me:secret@host:5432/db?sslmode=require`."""
        return cls(conn_id, uri)

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Self:
        """`{"conn_type": "postgres", "host": ..., "extra": {...}}`."""
        return cls(conn_id or "", **_parts_of_json(conn_id or "", value))

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra fields; empty if they are no JSON object."""
        try:
            extra = json.loads(self.extra) if self.extra else {}
        except ValueError:
            return {}
        return extra if isinstance(extra, dict) else {}

    def get_extra_dejson(self, nested: bool = False) -> dict[str, Any]:
        """The same; `nested`: values that are JSON themselves are read, too (Airflow 2)."""
        extra = self.extra_dejson
        if nested:
            for name, value in extra.items():
                try:
                    extra[name] = json.loads(value)
                except (TypeError, ValueError):
                    continue
        return extra

    def get_password(self) -> str | None:
        """The password (Airflow 2)."""
        return self.password

    def get_uri(self) -> str:
        """The connection as a URI, from which an equal one can be made."""
        from urllib.parse import parse_qsl, quote, urlencode

        uri = f"{self.conn_type.lower().replace('_', '-')}://" if self.conn_type else "//"
        host = self.host
        if host and "://" in host:
            protocol, _, rest = host.partition("://")
            uri, host = (uri, host) if protocol == self.conn_type else (f"{uri}{protocol}://", rest)
        login = "" if self.login is None else quote(self.login, safe="")
        login += "" if self.password is None else f":{quote(self.password, safe='')}"
        place = quote(host, safe="") if host else ""
        if self.port:
            place += f":{self.port}" if place or login else f"@:{self.port}"
        uri += (f"{login}@" if login else "") + place + (f"/{quote(self.schema, safe='')}" if self.schema else "")
        if not self.extra:
            return uri
        extra = self.extra_dejson
        plain = all(isinstance(value, str) for value in extra.values()) and urlencode(extra)
        query = plain if plain and dict(parse_qsl(plain, keep_blank_values=True)) == extra else urlencode({self.EXTRA_KEY: self.extra})
        return f"{uri}{'?' if self.schema else '/?'}{query}"

    def get_hook(self, *, hook_params: Mapping[str, Any] | None = None) -> Any:
        """The hook that an installed provider package brings for this type of connection; FlowletError if none does."""
        from flowlet.operators.providers import hook_of

        return hook_of(self.conn_id, self.conn_type, hook_params or {})

    def to_dict(self, *, prune_empty: bool = False, validate: bool = True) -> dict[str, Any]:  # noqa: ARG002  Airflow's argument
        """Its parts by name, `extra` as the fields it holds."""
        parts = {name: getattr(self, name) for name in ("conn_id", *_PARTS[:-1])}
        parts["extra"] = self.extra_dejson
        return {name: part for name, part in parts.items() if part not in (None, "", {})} if prune_empty else parts

    def as_json(self) -> str:
        """JSON from which an equal one can be made."""
        parts = self.to_dict(prune_empty=True)
        parts.pop("conn_id", None)
        if self.extra and not parts.get("extra"):
            parts["extra"] = self.extra
        return json.dumps(parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.conn_id)

    def __repr__(self) -> str:
        return f"<Connection {self.conn_id}: {self.conn_type}>"


class BaseHook:
    """What hooks build on (Airflow: sdk/bases/hook.py): finds a connection; a subclass makes a client of it."""

    def __init__(self, logger_name: str | None = None) -> None:
        self._logger_name = logger_name

    @property
    def log(self) -> Any:
        """A logger of the hook's name; what an attempt logs with it stands in the attempt's log."""
        import logging

        return logging.getLogger(self._logger_name or f"{type(self).__module__}.{type(self).__qualname__}")

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection of that id. ConnectionNotFound."""
        return Connection.get(conn_id)

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """The same, for coroutines."""
        return Connection.get(conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: Mapping[str, Any] | None = None) -> Any:
        """The hook for the type of that connection, which an installed provider package brings."""
        return cls.get_connection(conn_id).get_hook(hook_params=hook_params)

    def get_conn(self) -> Any:
        """The client; a subclass makes it."""
        raise NotImplementedError


def text_of(conn_id: str, given: str | Mapping[str, Any] | Connection) -> str:
    """A connection as it is kept: JSON. FlowletError says what is wrong with it."""
    if isinstance(given, str):
        given = Connection(conn_id, given)
    return (given if isinstance(given, Connection) else Connection(conn_id, **given)).as_json()


def _port(conn_id: str, port: Any) -> int | None:
    try:
        return None if port in (None, "") else int(port)
    except (TypeError, ValueError):
        raise FlowletError(f"connection {conn_id!r}: the port must be a number, not {port!r}") from None


def _parts_of_json(conn_id: str, text: str) -> dict[str, Any]:
    try:
        parts = json.loads(text)
    except ValueError:
        parts = None
    if not isinstance(parts, dict):
        raise FlowletError(f"connection {conn_id!r} does not hold JSON")
    if isinstance(parts.get("conn_type"), str):
        parts["conn_type"] = _type(parts["conn_type"])
    return {name: part for name, part in parts.items() if name in _PARTS}


def _parts_of_uri(conn_id: str, text: str) -> dict[str, Any]:
    """Airflow's reading of a URI: `_` of a type is written `-`, a second scheme belongs to the host."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    kind, again, rest = text.partition("://")
    inner, _, _ = rest.partition("://")
    protocol = inner if again and "://" in rest and inner.isidentifier() else ""
    try:
        uri = urlsplit(text if not protocol else f"{kind}://{rest.partition('://')[2]}")
        port = uri.port
    except ValueError as problem:
        raise FlowletError(f"connection {conn_id!r} is no URI: {problem}") from None
    extra = dict(parse_qsl(uri.query, keep_blank_values=True))
    host = unquote(uri.hostname) if uri.hostname else None
    return {
        "conn_type": _type(uri.scheme) or None,
        "host": f"{protocol}://{host or ''}" if protocol else host,
        "login": unquote(uri.username) if uri.username else None,
        "password": unquote(uri.password) if uri.password else None,
        "port": port,
        "schema": unquote(uri.path[1:]) or None,
        "extra": extra.get("__extra__") or (json.dumps(extra) if extra else ""),
    }


def _type(name: str) -> str:
    """`postgresql` is Airflow's `postgres`; dashes stand for underscores."""
    return "postgres" if name == "postgresql" else name.replace("-", "_")
