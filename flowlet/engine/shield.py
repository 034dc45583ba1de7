"""Closing is not torn off by the cancellation that brought it about."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

#: What anyio loads with the first scope that a program of asyncio enters.
BACKEND = "anyio._backends._asyncio"


def shielded() -> AbstractContextManager[object]:
    """anyio's shield, if a scope of anyio's can be around us at all.

    In a program that has entered none there is nothing to be shielded from, and what it would load is a
    tenth of the time that a short program takes.
    """
    if BACKEND not in sys.modules:
        return nullcontext()
    import anyio

    return anyio.CancelScope(shield=True)
