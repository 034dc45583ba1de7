"""The SQLite file: schema, statements, lease, one writer.

Knows rows and moves, never a DAG object or an operator.
"""

from flowlet.store.applying import Conflict
from flowlet.store.reader import Reader
from flowlet.store.store import Settled, Store, settled

__all__ = ["Conflict", "Reader", "Settled", "Store", "settled"]
