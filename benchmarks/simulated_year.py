"""50 hourly DAGs for a year through the whole engine, in memory, on a virtual clock: 438,000 runs.

`python benchmarks/simulated_year.py [--days N] [--json]`; says how many ticks were due and what became of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from datetime import UTC, datetime, timedelta

from flowlet import DAG, Engine, task
from flowlet.testing import VirtualClock

START = datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kolkata")


def make_dags(count: int) -> list[DAG]:
    from zoneinfo import ZoneInfo

    dags = []
    for number in range(count):
        zone = ZoneInfo(ZONES[number % len(ZONES)])
        start = datetime(2026, 1, 1, tzinfo=zone)
        with DAG(f"hourly_{number}", schedule="0 * * * *", start_date=start, catchup=False) as dag:

            @task
            async def nothing() -> None:
                return None

            nothing()
        dags.append(dag)
    return dags


async def live(count: int, days: int) -> dict[str, object]:
    clock, dags = VirtualClock(START), make_dags(count)
    outcomes: dict[str, int] = {}
    begun = time.perf_counter()
    async with Engine(dags=dags, clock=clock, parallelism=1000) as engine:
        await clock.run_until(START + timedelta(days=days))
        seconds = time.perf_counter() - begun
        _, store = engine._parts()
        for dag in dags:
            for outcome, ticks, _, _ in await store.fetch("ticks_summary", dag_id=dag.dag_id):
                outcomes[outcome] = outcomes.get(outcome, 0) + ticks
    return {
        "dags": count, "days": days, "ticks_by_outcome": outcomes, "ticks": sum(outcomes.values()),
        "seconds": round(seconds, 1), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--dags", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(live(given.dags, given.days))
    print(json.dumps(found) if given.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
