"""What tasks keep, in the file: only the try that the row holds writes, and what was said last holds."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet.runs.moves import DropState, Moves, PutAssetState, PutTaskState
from flowlet.store import Store

pytestmark = pytest.mark.anyio

NOON = 1_767_268_800_000_000


async def running(store: Store, writing: Any) -> None:
    """A run with one task at its first try."""
    assert await store.commit(writing().dag().run(1).task(1).start(1).moves) == []


async def kept(store: Store, key: str) -> str | None:
    rows = await store.fetch("task_state", scope=1, key=key)
    return rows[0][0] if rows else None


async def test_only_the_try_that_the_row_holds_may_keep_something(store: Store, writing: Any) -> None:
    await running(store, writing)
    moves = Moves()
    moves.put_task_state += [
        PutTaskState(1, 1, "job", "1", NOON, None), PutTaskState(1, 2, "late", "2", NOON, None), PutTaskState(9, 1, "none", "3", NOON, None),
    ]  # fmt: skip
    assert [(conflict.kind, conflict.move.key) for conflict in await store.commit(moves)] == [("put_task_state", "late"), ("put_task_state", "none")]
    assert [await kept(store, key) for key in ("job", "late", "none")] == ["1", None, None]


async def test_what_is_forgotten_and_kept_in_one_transaction_is_kept(store: Store, writing: Any) -> None:
    await running(store, writing)
    for value in ("1", "2"):
        moves = Moves()
        moves.drop_task_state.append(DropState(1, None))
        moves.put_task_state.append(PutTaskState(1, 1, f"key{value}", value, NOON, None))
        moves.drop_asset_state.append(DropState("orders", "rows"))
        moves.put_asset_state.append(PutAssetState("orders", "rows", value, NOON, "etl", "r", "t", -1))
        assert await store.commit(moves) == []
    assert [await kept(store, key) for key in ("key1", "key2")] == [None, "2"]
    assert await store.fetch("asset_state", scope="orders", key="rows") == [("2",)]


async def test_what_is_kept_is_no_text_of_a_conflict(store: Store, writing: Any) -> None:
    await running(store, writing)
    moves = Moves()
    moves.put_task_state.append(PutTaskState(1, 7, "token", "a secret", NOON, None))
    assert "a secret" not in repr(await store.commit(moves))
    assert "a secret" not in repr(PutAssetState("orders", "token", "a secret", NOON, "etl", "r", "t", -1))
