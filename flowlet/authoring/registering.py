"""How a file's DAGs are found that no global name holds: each tells that it is complete.

Airflow finds them the same way (`DagContext.autoregistered_dags`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG

_FOUND: ContextVar[list[DAG] | None] = ContextVar("flowlet_found_dags", default=None)


@contextmanager
def collect_dags() -> Iterator[list[DAG]]:
    """While open, every DAG whose `with` block ends (or whose `@dag` function is called) joins the list.

    One whose block is opened again joins again.
    """
    dags: list[DAG] = []
    token = _FOUND.set(dags)
    try:
        yield dags
    finally:
        _FOUND.reset(token)


def found(dag: DAG) -> bool:
    """The DAG is complete. Whether somebody collects it."""
    dags = _FOUND.get()
    if dags is not None:
        dags.append(dag)
    return dags is not None
