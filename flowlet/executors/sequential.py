"""SequentialExecutor: one body at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from flowlet.executors.local import PATIENCE, LocalExecutor

if TYPE_CHECKING:
    from flowlet.worker.attempt import Attempt
    from flowlet.worker.workload import Outcome


class SequentialExecutor(LocalExecutor):
    """The LocalExecutor with a parallelism of one: what is accepted meanwhile waits in the order it came."""

    def __init__(self, *, max_abandoned: int = 16, patience: float = PATIENCE) -> None:
        super().__init__(parallelism=1, max_abandoned=max_abandoned, patience=patience)
        self._waiting: deque[Attempt] = deque()
        self._current: Attempt | None = None

    def _place(self, attempt: Attempt) -> None:
        if self._current is not None:
            self._waiting.append(attempt)
            return
        self._current = attempt
        super()._place(attempt)

    def _stop(self, attempt: Attempt, kind: str, reason: str) -> None:
        if attempt in self._waiting:
            self._waiting.remove(attempt)
            attempt.stop = kind, reason
            self._settle(attempt, attempt.stopped())
            return
        super()._stop(attempt, kind, reason)

    def _hand_over(self, attempt: Attempt, outcome: Outcome) -> None:
        super()._hand_over(attempt, outcome)
        if attempt is not self._current:
            return
        self._current = None
        if self._waiting:
            self._start(self._waiting.popleft())
