"""The engine's verbs for the variables and connections that its file keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlet.engine.wiring import Wiring
from flowlet.errors import FlowletError
from flowlet.scheduler import requests
from flowlet.worker.secrets import MASK, is_sensitive
from flowlet.worker.vault import CONNECTION, VARIABLE

if TYPE_CHECKING:
    from flowlet.worker.connections import Connection


class Keeping(Wiring):
    """The verbs: variables and connections of the engine's file. They are on file when a verb returns."""

    async def set_variable(self, key: str, value: Any, description: str = "") -> None:
        """Keep a text; any other value as JSON."""
        import json

        from flowlet.worker.variables import learn

        _check("variable", key)
        text = value if isinstance(value, str) else json.dumps(value)
        learn(key, text)
        await self._keep_secret(VARIABLE, key, text, description)

    async def get_variable(self, key: str) -> str | None:
        """The text of a variable on file, or None."""
        self._parts()
        return self._values.find_secret(VARIABLE, key)

    async def delete_variable(self, key: str) -> bool:
        """Forget it; False if there was none."""
        return await self._forget_secret(VARIABLE, key)

    async def variables(self) -> list[dict[str, str]]:
        """key, value and description of each; values whose key speaks of a secret are masked."""
        rows = await self._parts()[1].fetch("secrets", kind=VARIABLE)
        return [
            {"key": key, "value": MASK if is_sensitive(key) else value, "description": description}
            for key, value, description in rows
        ]

    async def set_connection(
        self, conn_id: str, connection: str | Mapping[str, Any] | Connection, description: str = ""
    ) -> None:
        """Keep a connection: a URI, JSON, its parts, or a Connection. FlowletError says what is wrong with it."""
        from flowlet.worker.connections import text_of

        _check("connection", conn_id)
        await self._keep_secret(CONNECTION, conn_id, text_of(conn_id, connection), description)

    async def get_connection(self, conn_id: str) -> Connection | None:
        """The connection on file, or None."""
        from flowlet.worker.connections import Connection

        self._parts()
        text = self._values.find_secret(CONNECTION, conn_id)
        return None if text is None else Connection(conn_id, text)

    async def delete_connection(self, conn_id: str) -> bool:
        """Forget it; False if there was none."""
        return await self._forget_secret(CONNECTION, conn_id)

    async def connections(self) -> list[dict[str, Any]]:
        """The parts of each connection; the password, and extra fields that speak of a secret, are masked."""
        from flowlet.worker.connections import Connection

        rows = await self._parts()[1].fetch("secrets", kind=CONNECTION)
        return [
            {**_masked(Connection(name, text).to_dict()), "description": description}
            for name, text, description in rows
        ]

    async def _keep_secret(self, kind: str, name: str, text: str, description: str) -> None:
        scheduler, _ = self._parts()
        await scheduler.ask(requests.KeepSecret, kind, name, text, description)
        self._values.known(kind, name, text)

    async def _forget_secret(self, kind: str, name: str) -> bool:
        scheduler, _ = self._parts()
        known = self._values.find_secret(kind, name) is not None
        await scheduler.ask(requests.ForgetSecret, kind, name)
        self._values.known(kind, name, None)
        return known


def _check(kind: str, name: object) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= 250:
        raise FlowletError(f"the name of a {kind} must be a text of 1 to 250 characters, not {name!r}")


def _masked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: MASK if part and is_sensitive(name) else _masked(part) for name, part in value.items()}
