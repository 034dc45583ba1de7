"""What templates reach through: `var`, `conn`, `macros`. Nothing is read or imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlet.worker.connections import Connection


class VariableAccessor:
    """`var.value.x` is a variable's text, `var.json.x` what it holds as JSON; see `variables.py`."""

    __slots__ = ("_parse",)

    def __init__(self, *, parse: bool) -> None:
        self._parse = parse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        from flowlet.worker.variables import Variable

        return Variable.get(name, deserialize_json=self._parse)

    def get(self, name: str, default: Any = None) -> Any:
        """The variable, or the default."""
        from flowlet.worker.variables import Variable

        return Variable.get(name, default, deserialize_json=self._parse)


class ConnectionAccessor:
    """`conn.x` is a connection; see `connections.py`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Connection:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Connection:
        from flowlet.worker.connections import Connection

        return Connection.get(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The connection, or the default."""
        from flowlet.errors import ConnectionNotFound

        try:
            return self[name]
        except ConnectionNotFound:
            return default


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
