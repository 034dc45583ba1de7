"""SequentialExecutor: one body at a time."""

from __future__ import annotations

from flowlet.executors.local import LocalExecutor


class SequentialExecutor(LocalExecutor):
    """The LocalExecutor with a parallelism of one."""

    def __init__(self) -> None:
        super().__init__(parallelism=1)
