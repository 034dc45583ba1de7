"""The SQLite file: schema, statements, lease, one writer.

Knows rows and moves, never a DAG object or an operator.
"""

from flowlet.store.applying import Conflict
from flowlet.store.reader import Reader
from flowlet.store.store import CommitCancelled, Store

__all__ = ["CommitCancelled", "Conflict", "Reader", "Store"]
