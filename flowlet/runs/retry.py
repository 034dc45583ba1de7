"""Whether a failed attempt is tried again, and when.

Source: Airflow's `TaskInstance.is_eligible_to_retry` and `next_retry_datetime` (airflow/models/taskinstance.py, 3.3.2).
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from flowlet.clock import DAY, SECOND, from_micros

if TYPE_CHECKING:
    from flowlet.runs.instances import TaskInstance

LONGEST_DELAY = DAY

#: After so many crashes in one task's place it fails: a task that kills the process cannot do so for ever.
MOST_CRASHES = 3


def may_retry(ti: TaskInstance) -> bool:
    """max_tries is retries plus one for every attempt that did not count."""
    return ti.max_tries > 0 and ti.try_number <= ti.max_tries


def retry_delay(ti: TaskInstance) -> int:
    """How long until the next try: constant, or exponential with Airflow's deterministic jitter ([1, 2) x base).

    As in Airflow, max_retry_delay limits what grows (or shrinks), and leaves a constant delay as it is.
    """
    spec = ti.spec
    if spec.retry_multiplier in (0.0, 1.0):
        return spec.retry_delay
    delay = _backoff(ti, spec.retry_delay)
    return delay if not spec.max_retry_delay else min(delay, spec.max_retry_delay)


def _backoff(ti: TaskInstance, delay: int) -> int:
    from hashlib import sha1

    failures = max(1, ti.try_number - ti.crashes)
    try:
        base = max(1, ceil(delay / SECOND * ti.spec.retry_multiplier ** (failures - 1)))
    except OverflowError:
        return LONGEST_DELAY
    date = ti.run.logical_date
    seed = f"{ti.run.dag_id}#{ti.spec.task_id}#{None if date is None else from_micros(date)}#{ti.try_number}"
    jitter = int(sha1(seed.encode(), usedforsecurity=False).hexdigest(), 16) % base
    return min((base + jitter) * SECOND, LONGEST_DELAY)
