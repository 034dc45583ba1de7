"""Which due ticks become runs: the rules by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowlet.clock import DAY, HOUR, MINUTE, SECOND, to_micros
from flowlet.scheduler.ticks import (
    BEFORE_REGISTRATION,
    COALESCED,
    CONTINUOUS_REST,
    MISSED,
    PAUSED,
    SCHEDULE_CHANGED,
    SKIPPED,
    Schedule,
    TickPlan,
    TickSpan,
    change_schedule,
    plan_ticks,
    rewind,
    skip_to_now,
    upcoming,
)
from flowlet.timetables import (
    ContinuousTimetable,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    Interval,
    OnceTimetable,
    timetable_for,
)


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


NOON = at("2026-06-01T12:00")


def hourly(
    *, start: int | None = None, end: int | None = None, catchup: bool = False, cap: int = 1000
) -> Schedule:
    return Schedule(CronTriggerTimetable("@hourly"), start, end, catchup, cap)


def every(seconds: float, *, start: int | None = None, catchup: bool = False) -> Schedule:
    return Schedule(DeltaTriggerTimetable(timedelta(seconds=seconds)), start, None, catchup)


def runs(plan: TickPlan) -> list[int]:
    return [due for due, _ in plan.ticks_to_run]


# -- the ordinary tick --------------------------------------------------------------------------------


def test_a_tick_that_is_due_is_run_and_the_cursor_stands_on_it() -> None:
    assert plan_ticks(hourly(), NOON - HOUR, NOON, room=1) == TickPlan(
        NOON, [(NOON, Interval(NOON, NOON, NOON))], [], NOON + HOUR
    )


def test_nothing_is_due_before_its_time() -> None:
    assert plan_ticks(hourly(), NOON, NOON + HOUR - 1, room=1) == TickPlan(NOON, [], [], NOON + HOUR)


def test_a_run_carries_the_interval_of_its_timetable() -> None:
    timetable = CronTriggerTimetable("@hourly", interval=timedelta(hours=1))
    plan = plan_ticks(Schedule(timetable, None, None, False), NOON - HOUR, NOON, room=1)
    assert plan.ticks_to_run == [(NOON, Interval(NOON - HOUR, NOON - HOUR, NOON))]


def test_no_schedule_is_never_due() -> None:
    none = Schedule(timetable_for(None, where=""), None, None, False)
    assert plan_ticks(none, None, NOON, room=1).next_due is None
    assert plan_ticks(none, NOON, NOON + DAY, room=1) == TickPlan(NOON, [], [], None)


# -- missed ticks -------------------------------------------------------------------------------------


def test_without_catchup_the_latest_missed_tick_is_run_for_all() -> None:
    plan = plan_ticks(hourly(), NOON - 4 * HOUR, NOON + MINUTE, room=16)
    assert runs(plan) == [NOON]
    assert plan.spans == [TickSpan(NOON - 3 * HOUR, NOON - HOUR, 3, COALESCED, MISSED, 0)]
    assert (plan.cursor, plan.next_due) == (NOON, NOON + HOUR)


def test_with_catchup_every_missed_tick_is_run_oldest_first() -> None:
    plan = plan_ticks(hourly(catchup=True), NOON - 3 * HOUR, NOON + MINUTE, room=16)
    assert runs(plan) == [NOON - 2 * HOUR, NOON - HOUR, NOON]
    assert plan.spans == []
    assert plan.next_due == NOON + HOUR


def test_with_catchup_what_there_is_no_room_for_waits() -> None:
    plan = plan_ticks(hourly(catchup=True), NOON - 3 * HOUR, NOON, room=2)
    assert runs(plan) == [NOON - 2 * HOUR, NOON - HOUR]
    assert (plan.cursor, plan.next_due, plan.waits) == (NOON - HOUR, None, True)
    assert runs(plan_ticks(hourly(catchup=True), plan.cursor, NOON, room=1)) == [NOON]


def test_at_max_active_runs_the_cursor_stays_and_without_catchup_one_run_makes_up_for_all() -> None:
    full = plan_ticks(hourly(), NOON - HOUR, NOON + 2 * HOUR, room=0)
    assert full == TickPlan(NOON - HOUR, [], [], None, waits=True)
    later = plan_ticks(hourly(), full.cursor, NOON + 2 * HOUR, room=1)
    assert runs(later) == [NOON + 2 * HOUR]
    assert later.spans == [TickSpan(NOON, NOON + HOUR, 2, COALESCED, MISSED, 0)]


@pytest.mark.parametrize("missed", [6, 8, 11, 100])
def test_with_catchup_the_oldest_beyond_the_cap_are_skipped(missed: int) -> None:
    plan = plan_ticks(hourly(catchup=True, cap=5), NOON - missed * HOUR, NOON, room=3)
    last_skipped = NOON - 5 * HOUR
    assert plan.spans == [
        TickSpan(
            NOON - (missed - 1) * HOUR,
            last_skipped,
            missed - 5,
            SKIPPED,
            "beyond the catch-up cap of 5 runs",
            None,
        )
    ]
    assert runs(plan) == [last_skipped + HOUR, last_skipped + 2 * HOUR, last_skipped + 3 * HOUR]


def test_the_cap_is_not_touched_when_just_reached() -> None:
    plan = plan_ticks(hourly(catchup=True, cap=5), NOON - 5 * HOUR, NOON, room=9)
    assert plan.spans == []
    assert len(plan.ticks_to_run) == 5


# -- start and end ------------------------------------------------------------------------------------


def test_the_start_and_the_end_are_inclusive() -> None:
    bounded = hourly(start=NOON, end=NOON + HOUR, catchup=True)
    plan = plan_ticks(bounded, NOON - DAY, NOON + DAY, room=16)
    assert runs(plan) == [NOON, NOON + HOUR]
    assert plan.next_due is None


def test_one_moment_after_the_end_is_too_late() -> None:
    assert runs(plan_ticks(hourly(end=NOON), NOON - HOUR, NOON, room=1)) == [NOON]
    assert runs(plan_ticks(hourly(end=NOON - 1), NOON - HOUR, NOON, room=1)) == []
    assert hourly(end=NOON).next_after(NOON - HOUR) == NOON
    assert hourly(end=NOON - 1).next_after(NOON - HOUR) is None


def test_after_the_end_the_latest_tick_within_it_is_made_up() -> None:
    plan = plan_ticks(hourly(end=NOON + MINUTE), NOON - 3 * HOUR, NOON + DAY, room=1)
    assert runs(plan) == [NOON]
    assert plan.spans == [TickSpan(NOON - 2 * HOUR, NOON - HOUR, 2, COALESCED, MISSED, 0)]
    assert plan.next_due is None


# -- the first registration ---------------------------------------------------------------------------


def test_without_start_date_the_first_run_is_in_the_future() -> None:
    assert plan_ticks(hourly(), None, NOON + MINUTE, room=1) == TickPlan(
        NOON + MINUTE - 1, [], [], NOON + HOUR
    )


def test_a_tick_at_the_moment_of_registration_is_run() -> None:
    assert runs(plan_ticks(hourly(), None, NOON, room=1)) == [NOON]


@pytest.mark.parametrize(
    ("cron", "run_immediately", "age", "expected"),
    [
        ("@hourly", True, 59 * MINUTE, True),
        ("@hourly", False, MINUTE, False),
        ("@hourly", timedelta(minutes=10), 10 * MINUTE, True),
        ("@hourly", timedelta(minutes=10), 10 * MINUTE + 1, False),
        ("@hourly", None, 6 * MINUTE, True),
        ("@hourly", None, 6 * MINUTE + 1, False),
        ("*/10 * * * *", None, 5 * MINUTE, True),
        ("*/10 * * * *", None, 5 * MINUTE + 1, False),
    ],
)
def test_run_immediately_says_how_old_a_first_tick_may_be(
    cron: str, run_immediately: bool | timedelta | None, age: int, expected: bool
) -> None:
    timetable = CronTriggerTimetable(cron, run_immediately=run_immediately)
    plan = plan_ticks(Schedule(timetable, None, None, False), None, NOON + age, room=1)
    assert runs(plan) == ([NOON] if expected else [])
    assert plan.spans == []


def test_run_immediately_has_no_effect_with_a_start_date() -> None:
    timetable = CronTriggerTimetable("@hourly", run_immediately=True)
    plan = plan_ticks(Schedule(timetable, NOON + 1, None, False), None, NOON + MINUTE, room=1)
    assert (runs(plan), plan.next_due) == ([], NOON + HOUR)


def test_with_start_date_and_without_catchup_the_latest_tick_since_is_made_up() -> None:
    plan = plan_ticks(hourly(start=NOON - 5 * HOUR), None, NOON + MINUTE, room=1)
    assert runs(plan) == [NOON]
    assert plan.spans == [TickSpan(NOON - 5 * HOUR, NOON - HOUR, 5, SKIPPED, BEFORE_REGISTRATION, None)]


def test_a_start_date_since_which_nothing_was_due_waits_for_the_first_tick() -> None:
    plan = plan_ticks(hourly(start=NOON + 1), None, NOON + MINUTE, room=1)
    assert (runs(plan), plan.spans, plan.next_due) == ([], [], NOON + HOUR)


def test_a_start_date_in_the_future_is_waited_for() -> None:
    plan = plan_ticks(hourly(start=NOON + DAY), None, NOON, room=1)
    assert (runs(plan), plan.cursor, plan.next_due) == ([], NOON, NOON + DAY)
    assert runs(plan_ticks(hourly(start=NOON + DAY), NOON, NOON + DAY, room=1)) == [NOON + DAY]


def test_with_catchup_the_first_registration_begins_at_start_date() -> None:
    plan = plan_ticks(hourly(start=NOON - 2 * HOUR, catchup=True), None, NOON, room=2)
    assert runs(plan) == [NOON - 2 * HOUR, NOON - HOUR]
    assert plan.waits


def test_a_first_registration_without_room_keeps_the_tick_that_it_owes() -> None:
    plan = plan_ticks(hourly(start=NOON - 2 * HOUR), None, NOON, room=0)
    assert (plan.ticks_to_run, plan.waits) == ([], True)
    assert plan.spans == [TickSpan(NOON - 2 * HOUR, NOON - HOUR, 2, SKIPPED, BEFORE_REGISTRATION, None)]
    assert runs(plan_ticks(hourly(start=NOON - 2 * HOUR), plan.cursor, NOON, room=1)) == [NOON]


# -- deltas -------------------------------------------------------------------------------------------


def test_a_delta_without_start_date_runs_at_once_and_counts_from_its_last_tick() -> None:
    first = plan_ticks(every(90), None, NOON + 7, room=1)
    assert (runs(first), first.next_due) == ([NOON + 7], NOON + 7 + 90 * SECOND)
    early = plan_ticks(every(90), first.cursor, NOON + 60 * SECOND, room=1)
    assert (early.cursor, early.next_due) == (NOON + 7, NOON + 7 + 90 * SECOND)
    late = plan_ticks(every(90), first.cursor, NOON + 200 * SECOND, room=1)
    assert runs(late) == [NOON + 7 + 180 * SECOND]
    assert late.spans == [TickSpan(NOON + 7 + 90 * SECOND, NOON + 7 + 90 * SECOND, 1, COALESCED, MISSED, 0)]


def test_a_tick_noticed_late_does_not_shift_those_after_it() -> None:
    plan = plan_ticks(every(90), NOON, NOON + 100 * SECOND, room=1)
    assert (runs(plan), plan.cursor) == ([NOON + 90 * SECOND], NOON + 90 * SECOND)
    assert runs(plan_ticks(every(90), plan.cursor, NOON + 180 * SECOND, room=1)) == [NOON + 180 * SECOND]


def test_a_delta_counts_from_start_date() -> None:
    plan = plan_ticks(every(7 * 60, start=NOON), None, NOON + 20 * MINUTE, room=1)
    assert runs(plan) == [NOON + 14 * MINUTE]
    assert plan.spans == [TickSpan(NOON, NOON + 7 * MINUTE, 2, SKIPPED, BEFORE_REGISTRATION, None)]
    assert plan.next_due == NOON + 21 * MINUTE


# -- "@once" ------------------------------------------------------------------------------------------


def test_once_runs_at_its_first_registration_and_never_again() -> None:
    once = Schedule(OnceTimetable(), None, None, False)
    plan = plan_ticks(once, None, NOON, room=1)
    assert plan == TickPlan(NOON, [(NOON, Interval(NOON, NOON, NOON))], [], None)
    assert plan_ticks(once, plan.cursor, NOON + DAY, room=1) == TickPlan(NOON, [], [], None)


def test_once_with_start_date_runs_then() -> None:
    once = Schedule(OnceTimetable(), NOON, None, False)
    assert runs(plan_ticks(once, None, NOON + DAY, room=1)) == [NOON]
    early = plan_ticks(once, None, NOON - DAY, room=1)
    assert (runs(early), early.next_due) == ([], NOON)
    assert runs(plan_ticks(once, early.cursor, NOON, room=1)) == [NOON]


def test_once_waits_for_room_and_minds_its_end() -> None:
    once = Schedule(OnceTimetable(), None, NOON, False)
    assert plan_ticks(once, None, NOON, room=0) == TickPlan(None, [], [], None, waits=True)
    assert runs(plan_ticks(once, None, NOON + 1, room=1)) == []


# -- "@continuous" ------------------------------------------------------------------------------------


def test_continuous_runs_again_as_soon_as_there_is_room() -> None:
    again = Schedule(ContinuousTimetable(), NOON - DAY, None, False)
    first = plan_ticks(again, None, NOON, room=1)
    assert first.ticks_to_run == [(NOON, Interval(NOON - DAY, NOON - DAY, NOON))]
    assert plan_ticks(again, first.cursor, NOON + HOUR, room=0) == TickPlan(NOON, [], [], None, waits=True)
    second = plan_ticks(again, first.cursor, NOON + HOUR, room=1)
    assert second.ticks_to_run == [(NOON + HOUR, Interval(NOON, NOON, NOON + HOUR))]


def test_continuous_rests_a_moment_between_starts() -> None:
    again = Schedule(ContinuousTimetable(), None, None, False)
    assert plan_ticks(again, NOON, NOON + 5, room=1) == TickPlan(NOON, [], [], NOON + CONTINUOUS_REST)


def test_continuous_never_takes_a_logical_date_twice() -> None:
    for start in (None, NOON, NOON - 1, NOON + HOUR):
        again = Schedule(ContinuousTimetable(), start, None, False)
        cursor, now, dates = None, NOON, []
        for _ in range(5):
            plan = plan_ticks(again, cursor, now, room=1)
            dates += [interval.logical_date for _, interval in plan.ticks_to_run]
            cursor, now = plan.cursor, plan.next_due or now
        assert len(dates) == len(set(dates)) >= 4


def test_continuous_begins_and_ends_at_its_dates() -> None:
    again = Schedule(ContinuousTimetable(), NOON, NOON + HOUR, False)
    assert plan_ticks(again, None, NOON - 1, room=1) == TickPlan(None, [], [], NOON)
    assert runs(plan_ticks(again, NOON, NOON + HOUR, room=1)) == [NOON + HOUR]
    assert plan_ticks(again, NOON, NOON + HOUR + 1, room=1) == TickPlan(NOON, [], [], None)


# -- pause, edit --------------------------------------------------------------------------------------


def test_an_unpause_skips_what_was_due_meanwhile_and_runs_nothing() -> None:
    plan = skip_to_now(hourly(), NOON - 3 * HOUR, NOON + MINUTE)
    assert plan == TickPlan(
        NOON + MINUTE,
        [],
        [TickSpan(NOON - 2 * HOUR, NOON, 3, SKIPPED, PAUSED, None)],
        NOON + HOUR,
    )
    assert runs(plan_ticks(hourly(), plan.cursor, NOON + 2 * MINUTE, room=1)) == []


def test_an_unpause_before_anything_was_due_records_nothing() -> None:
    assert skip_to_now(hourly(), NOON, NOON + MINUTE) == TickPlan(NOON + MINUTE, [], [], NOON + HOUR)


def test_an_unpause_of_a_dag_that_never_ran_is_its_first_registration() -> None:
    assert skip_to_now(hourly(start=NOON - DAY), None, NOON) == TickPlan(None, [], [], NOON)


def test_an_edited_schedule_makes_no_run_for_the_past() -> None:
    daily = Schedule(CronTriggerTimetable("0 6 * * *"), NOON - 9 * DAY, None, True)
    plan = change_schedule(hourly(), daily, NOON - 2 * HOUR, NOON + MINUTE)
    assert plan.ticks_to_run == []
    assert plan.spans == [TickSpan(NOON - HOUR, NOON, 2, SKIPPED, SCHEDULE_CHANGED, None)]
    assert (plan.cursor, plan.next_due) == (NOON + MINUTE, at("2026-06-02T06:00"))


def test_a_dag_that_becomes_once_runs_now_and_one_that_was_does_not_run_again() -> None:
    once = Schedule(OnceTimetable(), None, None, False)
    edited = change_schedule(hourly(), once, NOON, NOON + MINUTE)
    assert runs(edited) == [NOON + MINUTE]
    assert runs(plan_ticks(once, edited.cursor, NOON + DAY, room=1)) == []
    ended = Schedule(OnceTimetable(), None, NOON + DAY, False)
    assert runs(change_schedule(once, ended, NOON, NOON + MINUTE)) == []
    tomorrow = Schedule(OnceTimetable(), NOON + DAY, None, False)
    plan = change_schedule(hourly(), tomorrow, NOON, NOON + MINUTE)
    assert (runs(plan), plan.next_due) == ([], NOON + DAY)


def test_schedules_compare_by_what_they_say() -> None:
    assert hourly(start=NOON) == hourly(start=NOON)
    assert hourly(start=NOON) != hourly(start=NOON, catchup=True)
    assert hourly() != every(3600)


# -- clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("catchup", [False, True])
def test_a_clock_that_leaps_a_century_costs_one_span(catchup: bool) -> None:
    secondly = Schedule(CronTriggerTimetable("* * * * * *", "Europe/Berlin"), None, None, catchup)
    leap = 36_525 * DAY
    plan = plan_ticks(secondly, NOON, NOON + leap, room=1)
    (span,) = plan.spans
    assert len(plan.ticks_to_run) == 1
    assert span.count == leap // SECOND - (1000 if catchup else 1)
    assert plan.next_due == (None if catchup else NOON + leap + SECOND)


def test_a_clock_set_back_makes_no_run_twice() -> None:
    assert plan_ticks(hourly(), NOON, NOON - HOUR, room=1) == TickPlan(NOON, [], [], NOON + HOUR)
    assert skip_to_now(hourly(), NOON, NOON - HOUR).cursor == NOON
    assert rewind(hourly(), NOON, NOON - HOUR) is None


def test_a_clock_that_had_been_wrong_does_not_silence_a_dag() -> None:
    wrong = plan_ticks(hourly(), NOON, NOON + 365 * DAY, room=1)
    right = rewind(hourly(), wrong.cursor, NOON + MINUTE)
    assert right == TickPlan(NOON + MINUTE, [], [], NOON + HOUR)


# -- for people ---------------------------------------------------------------------------------------


def test_the_next_ticks_are_told() -> None:
    assert upcoming(hourly(end=NOON + 2 * HOUR), NOON - DAY, NOON, 5) == [NOON + HOUR, NOON + 2 * HOUR]
    assert upcoming(hourly(), NOON + HOUR, NOON, 2) == [NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert upcoming(every(60), NOON - 90 * SECOND, NOON, 2) == [NOON + 30 * SECOND, NOON + 90 * SECOND]
    assert upcoming(hourly(start=NOON + DAY), None, NOON, 1) == [NOON + DAY]
