"""How long a sensor with `exponential_backoff` waits (Airflow: BaseSensorOperator._get_next_poke_interval).

Twice as long from look to look, at least a second, plus a jitter of up to as much again. The jitter follows
from a key, so that sensors which started together spread, and a restart waits as long as it would have.
"""

from __future__ import annotations

LONGEST = 365 * 24 * 3600.0


def wait_after(looks: int, interval: float, key: str) -> float:
    """Seconds to wait after this many looks."""
    import hashlib

    least = max(int(min(interval * 2.0 ** min(looks - 2, 64), LONGEST)), 1)
    digest = hashlib.sha1(f"{key}#{looks}".encode(), usedforsecurity=False).hexdigest()
    return float(min(least + int(digest, 16) % least, LONGEST))


def looks_within(elapsed: float, interval: float, key: str) -> int:
    """How many looks there were in so many seconds, for whoever did not count them: at least one."""
    looks, gone = 0, 0.0
    while gone <= elapsed:
        looks += 1
        gone += wait_after(looks, interval, key)
    return looks
