"""The SQLite file: schema, statements, lease, one writer.

Knows rows and moves, never a DAG object or an operator. Who only reads does without the writer's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlet.store.applying import Conflict
    from flowlet.store.reader import Reader
    from flowlet.store.store import Settled, Store, settled

__all__ = ["Conflict", "Reader", "Settled", "Store", "settled"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = {"Conflict": "applying", "Reader": "reader"}.get(name, "store")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"flowlet.store.{home}"), name)
