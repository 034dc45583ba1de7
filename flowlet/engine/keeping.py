"""The engine's verbs for the variables and connections that its file keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowlet.engine.wiring import Wiring
from flowlet.errors import FlowletError
from flowlet.scheduler import requests
from flowlet.worker.secrets import redact
from flowlet.worker.vault import CONNECTION, VARIABLE

if TYPE_CHECKING:
    from flowlet.worker.connections import Connection


class Keeping(Wiring):
    """The verbs: variables and connections of the engine's file. They are on file when a verb returns."""

    async def set_variable(self, key: str, value: Any, description: str = "") -> None:
        """Keep a text; any other value as JSON."""
        await self.set_variables({key: {"value": value, "description": description}})

    async def set_variables(self, variables: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep all of them, or none: by key `{"value": ..., "description": ...}`."""
        import json

        from flowlet.worker.variables import learn

        kept = []
        for key, parts in variables.items():
            _check("variable", key)
            value = parts["value"]
            kept.append((key, value if isinstance(value, str) else json.dumps(value), parts.get("description") or ""))
        for key, text, _ in kept:
            learn(key, text)
        await self._keep_secrets(VARIABLE, kept)

    async def get_variable(self, key: str) -> str | None:
        """The text of a variable on file, or None."""
        self._parts()
        return self._values.find_secret(VARIABLE, key)

    async def delete_variable(self, key: str) -> bool:
        """Forget it; False if there was none."""
        return await self._forget_secret(VARIABLE, key)

    async def variables(self) -> list[dict[str, str]]:
        """key, value and description of each; values whose key speaks of a secret are masked."""
        from flowlet.worker.variables import shown

        rows = await self._parts()[1].fetch("secrets", kind=VARIABLE)
        return [
            {"key": key, "value": shown(key, value), "description": description} for key, value, description in rows
        ]

    async def set_connection(
        self, conn_id: str, connection: str | Mapping[str, Any] | Connection, description: str = ""
    ) -> None:
        """Keep a connection: a URI, JSON, its parts, or a Connection. FlowletError says what is wrong with it."""
        await self.set_connections({conn_id: {"connection": connection, "description": description}})

    async def set_connections(self, connections: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep all of them, or none: by id `{"connection": ..., "description": ...}`."""
        from flowlet.worker.connections import text_of

        kept = []
        for conn_id, parts in connections.items():
            _check("connection", conn_id)
            kept.append((conn_id, text_of(conn_id, parts["connection"]), parts.get("description") or ""))
        await self._keep_secrets(CONNECTION, kept)

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
        return [{**redact(Connection(name, text).to_dict()), "description": description} for name, text, description in rows]

    async def _keep_secrets(self, kind: str, kept: Sequence[tuple[str, str, str]]) -> None:
        """(name, text, description) of each; one turn, and so one transaction."""
        scheduler, _ = self._parts()
        for one in kept:
            scheduler.post(requests.KeepSecret(kind, *one))
        await scheduler.ask(requests.Flush)
        for name, text, _ in kept:
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

