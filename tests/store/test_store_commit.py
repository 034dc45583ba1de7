"""What a transaction does, in memory and in a file alike."""

from __future__ import annotations

from typing import Any

import pytest

from flowlet.runs.moves import (
    AddEvent,
    AddTasks,
    BeginRun,
    DeletePool,
    MoveCursor,
    Moves,
    PauseDag,
    PutPool,
    ReleaseTask,
    StartTask,
)
from flowlet.store import Store
from flowlet.store.applying import ORDER

pytestmark = pytest.mark.anyio

NOON = 1_767_268_800_000_000


def kinds(conflicts: list[Any]) -> list[tuple[str, int]]:
    return [(conflict.kind, conflict.move.id) for conflict in conflicts]


async def state_of(store: Store, ti: int) -> tuple[Any, ...]:
    rows = {row[0]: row for row in await store.fetch("tasks_of_run", run=1)}
    return rows[ti][4], rows[ti][5], rows[ti][12]  # state, try_number, outcome


async def test_every_move_has_its_statement() -> None:
    assert set(ORDER) == set(Moves.__slots__)


async def test_an_attempt_ends_is_archived_and_the_next_one_starts_in_that_order() -> None:
    wanted = ["add_run", "add_task", "end_task", "put_xcom", "settle_task", "archive_attempt", "start_task", "end_run"]
    assert [slot for slot in ORDER if slot in wanted] == wanted


async def test_all_moves_of_a_turn_are_there_after_the_commit(store: Store, writing: Any) -> None:
    assert await store.commit(writing().dag().run().task(1).task(2).start(1).moves) == []
    assert await store.fetch("task_states", run=1) == [("task_1", -1, "running"), ("task_2", -1, "none")]
    assert store.fetch_now("task_states", run=1) == [("task_1", -1, "running"), ("task_2", -1, "none")]


async def test_an_end_and_the_next_start_are_one_transaction(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task(1).task(2).start(1).moves)
    before = store.seq
    await store.commit(writing().end(1).xcom(1, "42").start(2).moves)
    assert store.seq == before + 1
    assert await state_of(store, 1) == ("success", 1, "succeeded")
    assert await state_of(store, 2) == ("running", 1, None)
    assert await store.fetch("xcoms_of_run", run=1) == [("task_1", -1, "return_value", "42")]


async def test_the_sequence_in_the_file_is_the_stores(store: Store, writing: Any) -> None:
    for number in range(1, 4):
        await store.commit(writing().run(number).moves)
        assert (await store.fetch("owner"))[0][:2] == (store.epoch, store.seq)


REFUSED: dict[str, tuple[Any, str, int]] = {
    "start from another state": (lambda w: w.start(1, expected="scheduled"), "start_task", 1),
    "start what does not run": (lambda w: w.start(2, expected="running"), "start_task", 2),
    "start a try too many": (lambda w: w.start(1, expected="running", try_number=3), "start_task", 1),
    "end of another try": (lambda w: w.end(1, try_number=2), "end_task", 1),
    "end of what does not run": (lambda w: w.end(2), "end_task", 2),
    "end of nobody": (lambda w: w.end(99), "end_task", 99),
    "settle what runs": (lambda w: w.settle(1, "skipped", expected="none"), "settle_task", 1),
    "end of no run": (lambda w: w.end_run(7), "end_run", 7),
    "archive without an attempt": (lambda w: w.archive(2, 0), "archive_attempt", 2),
    "archive another try": (lambda w: w.archive(1, 2), "archive_attempt", 1),
    "run with a taken row": (lambda w: w.run(1, "another"), "add_run", 1),
    "run with a taken run_id": (lambda w: w.run(2, "run_1"), "add_run", 2),
    "run with a taken date": (lambda w: w.run(2, date=NOON), "add_run", 2),
    "task with a taken row": (lambda w: w.task(1, task_id="again"), "add_task", 1),
    "task with a taken name": (lambda w: w.task(3, task_id="task_1"), "add_task", 3),
    "task of no run": (lambda w: w.task(3, run=99), "add_task", 3),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_move_that_meets_another_state_changes_nothing(store: Store, writing: Any, case: str) -> None:
    given, kind, row = REFUSED[case]
    await store.commit(writing().run(date=NOON).task(1).task(2).start(1).moves)
    before = [store.fetch_now("tasks_of_run", run=1), store.fetch_now("last_runs_of_all", limit=10)]
    assert kinds(await store.commit(given(writing()).moves)) == [(kind, row)]
    assert before == [store.fetch_now("tasks_of_run", run=1), store.fetch_now("last_runs_of_all", limit=10)]


async def test_other_guards_speak_too(store: Store) -> None:
    moves = Moves()
    moves.begin_run.append(BeginRun(NOON, 5))
    moves.pause_dag.append(PauseDag("unknown", 1))
    moves.delete_pool.append(DeletePool("unknown"))
    moves.move_cursor.append(MoveCursor(NOON, "unknown"))
    moves.release_task.append(ReleaseTask("deferred", None, 5, 1))
    found = [conflict.kind for conflict in await store.commit(moves)]
    assert found == ["pause_dag", "delete_pool", "begin_run", "release_task", "move_cursor"]


async def test_terminal_states_absorb(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    await store.commit(writing().end(1, "failed", "failed", reason="first").moves)
    assert kinds(await store.commit(writing().end(1, "success").xcom(1).rendered(1).moves)) == [("end_task", 1)]
    assert await state_of(store, 1) == ("failed", 1, "failed")
    assert await store.fetch("xcoms_of_run", run=1) == []
    assert await store.fetch("rendered_of_run", run=1) == []


async def test_one_conflict_never_costs_the_others(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task(1).task(2).run(2, "other").task(3, 2).start(1).start(2).moves)
    conflicts = await store.commit(writing().end(1).end(1).end(2).xcom(2, "2").start(3).end_run(9).moves)
    assert kinds(conflicts) == [("end_task", 1), ("end_run", 9)]
    ended = ("success", 1, "succeeded")
    assert [await state_of(store, ti) for ti in (1, 2)] == [ended, ended]
    assert await store.fetch("task_states", run=2) == [("task_3", -1, "running")]
    assert await store.fetch("xcoms_of_task", ti=2) == [("return_value", "2")]


async def test_what_was_decided_next_for_a_run_hangs_on_its_rows(store: Store, writing: Any) -> None:
    """An end that is refused had consequences: none of them is written, but what did end keeps its end."""
    await store.commit(writing().run().task(1).task(2).task(3).start(2).moves)
    turn = writing().end(1).end(2).xcom(2, "2").start(3).end_run(1)
    assert kinds(await store.commit(turn.moves)) == [("end_task", 1), ("start_task", 3), ("end_run", 1)]
    states = [await state_of(store, ti) for ti in (1, 2, 3)]
    assert states == [("none", 0, None), ("success", 1, "succeeded"), ("none", 0, None)]
    assert await store.fetch("xcoms_of_task", ti=2) == [("return_value", "2")]
    assert [row[4] for row in await store.fetch("active_runs")] == ["running"]


async def test_a_refused_run_takes_along_what_is_its_own_and_nothing_else(store: Store, writing: Any) -> None:
    await store.commit(writing().dag().run(1, "taken").moves)
    turn = writing().run(2, "taken").task(20, 2).start(20).end_run(2).run(3, "free").task(30, 3).start(30)
    turn.moves.begin_run.append(BeginRun(NOON, 2))
    assert kinds(await store.commit(turn.moves)) == [("add_run", 2)]
    assert [row[0] for row in await store.fetch("last_runs_of_all", limit=9)] == [3, 1]
    assert await store.fetch("task_states", run=3) == [("task_30", -1, "running")]


async def test_the_tick_of_a_refused_run_is_skipped_with_a_reason(store: Store, writing: Any) -> None:
    """The cursor passes it in the same transaction, so it must be accounted for there."""
    await store.commit(writing().dag().run(1, date=NOON).moves)
    turn = writing().run(2, "scheduled__x", run_type="scheduled", date=NOON, due_at=NOON)
    turn.tick(NOON - 60, NOON - 1, 3, "coalesced", "late", run=2)
    turn.moves.move_cursor.append(MoveCursor(NOON, "etl"))
    assert kinds(await store.commit(turn.moves)) == [("add_run", 2)]
    assert await store.fetch("ticks_summary", dag_id="etl") == [("skipped", 4, NOON - 60, NOON)]
    assert (await store.fetch("dag", dag_id="etl"))[0][4] == NOON


@pytest.mark.parametrize("value", [2**63, object(), b"bytes"], ids=["huge", "object", "bytes"])
async def test_a_value_that_sqlite_does_not_take_costs_its_own_row_only(store: Store, writing: Any, value: Any) -> None:
    await store.commit(writing().run().task(1).task(2).start(1).start(2).moves)
    conflicts = await store.commit(writing().end(1).xcom(1, value).end(2).xcom(2, "fine").moves)
    assert [conflict.kind for conflict in conflicts] == ["put_xcom"]
    assert await store.fetch("xcoms_of_run", run=1) == [("task_2", -1, "return_value", "fine")]


async def test_a_text_with_half_a_character_is_kept_with_backslashes(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task(1).task(2).start(1).start(2).moves)
    turn = writing().end(1, "failed", "failed", reason="no file 'caf\udce9'").end(2).xcom(2, "fine")
    assert await store.commit(turn.moves) == []
    reasons = [row[4] for row in await store.fetch("attempts_of_run", run=1)]
    assert reasons == ["no file 'caf\\udce9'", None]
    assert await store.fetch("xcoms_of_run", run=1) == [("task_2", -1, "return_value", "fine")]


async def test_an_equal_key_is_replaced(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    await store.commit(writing().end().xcom(1, "1").xcom(1, "2").moves)
    assert await store.fetch("xcoms_of_task", ti=1) == [("return_value", "2")]


async def test_an_attempt_is_never_overwritten_before_it_is_archived(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    await store.commit(writing().end(1, "up_for_retry", "failed").moves)
    again = writing().start(1, try_number=2, expected="up_for_retry")
    assert kinds(await store.commit(again.moves)) == [("start_task", 1)]
    assert await store.commit(writing().archive(1, 1).start(1, try_number=2, expected="up_for_retry").moves) == []


async def test_a_failed_attempt_its_archive_and_the_next_start_fit_in_one_turn(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    turn = writing().end(1, "up_for_retry", "failed", reason="boom", error="ValueError").xcom(1, "lost")
    turn.archive(1, 1).start(1, try_number=2, expected="up_for_retry", at=NOON + 7)
    assert await store.commit(turn.moves) == []
    assert await store.fetch("attempts_of_run", run=1) == [
        ("task_1", -1, 1, "failed", "boom", "ValueError", NOON, NOON + 5_000_000),
        ("task_1", -1, 2, None, None, None, NOON + 7, None),
    ]
    assert await store.fetch("xcoms_of_run", run=1) == []


async def test_a_move_without_an_attempt_leaves_the_last_attempt_as_it_was(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    await store.commit(writing().end(1, "up_for_retry", "failed", reason="boom").moves)
    await store.commit(writing().settle(1, "skipped", expected="up_for_retry", reason="timed out", at=NOON + 9).moves)
    attempts = await store.fetch("attempts_of_run", run=1)
    assert attempts == [("task_1", -1, 1, "failed", "boom", None, NOON, NOON + 5_000_000)]
    row = (await store.fetch("tasks_of_run", run=1))[0]
    assert (row[4], row[17], row[18]) == ("skipped", NOON + 9, "timed out")


async def test_a_waiting_attempt_that_is_ended_by_a_move_is_cancelled(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    released = Moves()
    released.release_task.append(ReleaseTask("deferred", None, 1, 1))
    await store.commit(released)
    assert (await store.fetch("attempts_of_run", run=1))[0][3] is None
    await store.commit(writing().settle(1, "skipped", expected="deferred", at=NOON + 9).moves)
    assert await store.fetch("attempts_of_run", run=1) == [("task_1", -1, 1, "cancelled", None, None, NOON, NOON + 9)]


async def test_a_rescheduled_attempt_goes_on_as_the_same_try(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task().start().moves)
    turn = Moves()
    turn.release_task.append(ReleaseTask("up_for_reschedule", NOON + 60, 1, 1))
    await store.commit(turn)
    again = Moves()
    again.start_task.append(StartTask(1, "up_for_reschedule", 1, 1, NOON + 60, NOON))
    assert await store.commit(again) == []
    assert await store.fetch("attempts_of_run", run=1) == [("task_1", -1, 1, None, None, None, NOON, None)]


async def test_a_bodyless_success_is_no_attempt(store: Store, writing: Any) -> None:
    await store.commit(writing().run().task(1, state="success").task(2).moves)
    await store.commit(writing().settle(2, "success", at=NOON).moves)
    assert await store.fetch("attempts_of_run", run=1) == []


async def test_pools_and_pauses_are_kept(store: Store, writing: Any) -> None:
    turn = writing().dag(cursor=5)
    turn.moves.put_pool += [PutPool("db", 4, "", 0), PutPool("web", 1, "", 0), PutPool("db", 2, "slow", 1)]
    turn.moves.pause_dag.append(PauseDag("etl", 1))
    assert await store.commit(turn.moves) == []
    turn = writing().dag(cursor=None, paused=1)
    turn.moves.delete_pool.append(DeletePool("web"))
    assert await store.commit(turn.moves) == []
    assert await store.fetch("pools") == [("db", 2, "slow", 1)]
    assert await store.fetch("dag", dag_id="etl") == [("etl", "hash", '{"tasks":[]}', 1, 5, "etl.py")]


async def test_events_explain(store: Store) -> None:
    moves = Moves()
    moves.add_event.append(AddEvent(NOON, "recovered", None, None, None, None, None, "3 attempts were interrupted"))
    late = AddEvent(NOON + 1, "late_result_discarded", "etl", "run_1", "t", -1, 2, "it was too late")
    moves.add_event.append(late)
    assert await store.commit(moves) == []
    assert [row[1] for row in await store.fetch("last_events", limit=5)] == ["late_result_discarded", "recovered"]
    assert await store.fetch("events_of_run", dag_id="etl", run_id="run_1") == [tuple(late)]


async def test_many_rows_are_one_transaction(store: Store, writing: Any) -> None:
    turn = writing().run()
    for ti in range(1, 5001):
        turn.task(ti)
    before = store.seq
    assert await store.commit(turn.moves) == []
    assert store.seq == before + 1
    assert await store.fetch("max_ids") == [(1, 5000)]


async def test_many_rows_that_differ_in_their_id_alone_are_written_as_if_they_were_one_by_one(store: Store, writing: Any) -> None:
    made = writing().run()
    for number in range(1, 8):
        made.task(number)
    await store.commit(made.moves)
    turn = writing()
    for number in range(1, 7):
        turn.start(number)
    turn.settle(7, "skipped", reason="because")
    assert await store.commit(turn.moves) == []
    ends = writing().end(1).end(2).end(3, "failed", "failed", reason="x", error="E").end(4, "failed", "failed", reason="x", error="E")
    ends.xcom(1, '"a \\"quoted\\" \\u0000 text, Zürich"').xcom(2, "2").xcom(1, "3", "other").xcom(2, "x" * 5000)
    assert await store.commit(ends.moves) == []
    rows = {row[0]: (row[4], row[12], row[13], row[14]) for row in await store.fetch("tasks_of_run", run=1)}
    assert rows == {
        1: ("success", "succeeded", None, None), 2: ("success", "succeeded", None, None),
        3: ("failed", "failed", "x", "E"), 4: ("failed", "failed", "x", "E"),
        5: ("running", None, None, None), 6: ("running", None, None, None), 7: ("skipped", None, None, None),
    }  # fmt: skip
    assert sorted(await store.fetch("xcoms_of_run", run=1)) == [
        ("task_1", -1, "other", "3"), ("task_1", -1, "return_value", '"a \\"quoted\\" \\u0000 text, Zürich"'),
        ("task_2", -1, "return_value", "x" * 5000),
    ]  # fmt: skip


async def test_one_among_many_that_is_not_as_expected_costs_itself_only(store: Store, writing: Any) -> None:
    made, starts, ends = writing().run(), writing(), writing()
    for number in range(1, 6):
        made.task(number)
        if number != 3:
            starts.start(number)
        ends.end(number)
    await store.commit(made.moves)
    await store.commit(starts.moves)
    assert kinds(await store.commit(ends.moves)) == [("end_task", 3)]
    assert [state for _, _, state in await store.fetch("task_states", run=1)] == ["success"] * 2 + ["none"] + ["success"] * 2


async def test_all_tasks_of_a_new_run_enter_in_one_move_and_fall_with_their_run(store: Store, writing: Any) -> None:
    roster = '[["a",2,"@task","default_pool"],["b",0,"BashOperator","db"]]'
    made = writing().run(1, "same")
    made.moves.add_tasks.append(AddTasks(1, 10, roster, 2))
    assert await store.commit(made.start(11).moves) == []
    rows = [(row[0], *row[2:9]) for row in await store.fetch("tasks_of_run", run=1)]
    assert rows == [
        (10, "a", -1, "none", 0, 2, "@task", "default_pool"), (11, "b", -1, "running", 1, 0, "BashOperator", "db"),
    ]  # fmt: skip
    again = writing().run(2, "same")
    again.moves.add_tasks.append(AddTasks(2, 20, roster, 2))
    assert kinds(await store.commit(again.start(20).end(11).moves)) == [("add_run", 2)]
    assert await store.fetch("tasks_of_run", run=2) == []
    assert await state_of(store, 11) == ("success", 1, "succeeded")
