"""A process that knows thousands of DAGs: what it asks the file grows with the questions, not with the DAGs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, EmptyOperator, Engine
from flowlet.store import Store
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def many(count: int) -> list[DAG]:
    dags = []
    for number in range(count):
        with DAG(f"dag_{number}") as dag:
            EmptyOperator(task_id="nothing")
        dags.append(dag)
    return dags


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the file was asked which question."""
    questions: Counter[str] = Counter()
    fetch = Store.fetch

    async def counted(store: Store, name: str, **params: object) -> Any:
        questions[name] += 1
        return await fetch(store, name, **params)

    monkeypatch.setattr(Store, "fetch", counted)
    return questions


@pytest.mark.parametrize("dags", [1, 50])
async def test_opening_asks_the_file_as_often_for_many_dags_as_for_one(
    dags: int, tmp_path: Path, asked: Counter[str]
) -> None:
    async with Engine(tmp_path / "flowlet.db", dags=many(dags)):
        pass
    asked.clear()
    async with Engine(tmp_path / "flowlet.db", dags=many(dags)) as engine:
        assert len(engine.dags()) == dags
    assert set(asked.values()) == {1}, asked
    assert len(asked) < 10


async def test_each_dag_goes_on_after_its_own_newest_date(tmp_path: Path) -> None:
    async with Engine(tmp_path / "flowlet.db", dags=many(3), clock=VirtualClock(NEW_YEAR)) as engine:
        for _ in range(2):
            await engine.trigger("dag_1")
    async with Engine(tmp_path / "flowlet.db", dags=many(3), clock=VirtualClock(NEW_YEAR)) as engine:
        dates = [(await engine.trigger(f"dag_{number}")).logical_date for number in (0, 2, 1)]
    assert [(date.second, date.microsecond) for date in dates if date is not None] == [(0, 0), (0, 0), (0, 2)]
