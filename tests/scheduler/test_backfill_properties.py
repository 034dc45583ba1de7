"""Random backfills against their laws: wherever the process ends, every date has one run or one reason, and no limit is exceeded."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlet.engine import backfill_rows
from flowlet.engine.backfills import Backfilling
from flowlet.errors import BackfillError, RunExists
from flowlet.runs.clearing import Which
from flowlet.runs.moves import Moves
from flowlet.runs.turn import Turn
from flowlet.scheduler import requests
from flowlet.scheduler.backfills import Plan, dates_of
from flowlet.store import applying
from flowlet.timetables import CronDataIntervalTimetable, CronTriggerTimetable, DeltaTriggerTimetable
from flowlet.worker.workload import Outcome
from tests.scheduler.brain_world import (
    NEW_YEAR,
    SECOND,
    File,
    Work,
    World,
    a_task,
    dag_of,
    drive,
    failed,
    succeeded,
)
from tests.scheduler.laws import moves_are_legal

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class Desk(Backfilling):
    """Reads the file for the brain, as the engine does."""

    def __init__(self, world: World) -> None:
        self.brain, self._file = world.brain, world.file
        self._held = WeakValueDictionary()

    def _parts(self) -> Any:
        return None, self._file


class Refusing(File):
    """Takes no run of a date that has one, and says so, as the store does."""

    conflicts: list[Any]

    def commit(self, moves: Moves) -> None:
        self.conflicts = []
        self.connection.execute("BEGIN")
        try:
            applying.all_at_once(self.connection, moves)
        except (applying.Mismatch, sqlite3.IntegrityError):
            self.connection.execute("ROLLBACK")
            self.connection.execute("BEGIN")
            self.conflicts = applying.one_by_one(self.connection, moves)
        assert {conflict.kind for conflict in self.conflicts} <= {"add_run"}
        self.connection.execute("COMMIT")


class Filling(World):
    """A world with backfills."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.file: Refusing = Refusing()
        self.start_brain()

    def start_brain(self) -> None:
        super().start_brain()
        self.brain.next_backfill = self._fetch("max_backfill_id")[0][0] + 1
        self.ignoring: set[int] = set()

    def _registration(self, spec: Any, active: Any) -> Any:
        request = super()._registration(spec, active)
        if spec.dag_id in self.brain.entries:
            return request
        return request._replace(backfill=drive(backfill_rows.active_backfill(self.file, spec.dag_id)))

    def _carry_out(self, turn: Turn) -> None:
        if self.file.conflicts:
            assert self.brain.refused(self.file.conflicts, turn) == []
        super()._carry_out(turn)
        for question in turn.look_up:
            self.asked.append(drive(Desk(self)._look_up(question)))

    def backfill(self, plan: Plan) -> int:
        """As the engine does it: it looks at the file first."""
        dates = dates_of(plan, self.dags[plan.dag_id], None, self.now)
        runs = drive(backfill_rows.runs_at(self.file, plan.dag_id, dates))
        number: int = self.ask(requests.CreateBackfill(plan, dates, runs))
        return number

    def dates(self) -> list[tuple[int, str | None, str | None]]:
        return self.file.select("SELECT logical_date, run_id, reason FROM backfill_date ORDER BY backfill, ordinal")

    def states_of_backfills(self) -> list[str]:
        return [state for (state,) in self.file.select("SELECT state FROM backfill ORDER BY id")]


def no_backfill_exceeds_its_limit(world: World, _turn: Turn) -> None:
    """Counted from the file; and the DAG's own runs have their limit for themselves."""
    for count, most in world.file.select(
        "SELECT count(*), max_active_runs FROM backfill JOIN backfill_date AS date ON date.backfill = backfill.id"
        " JOIN run ON run.id = date.run WHERE run.state = 'running' AND backfill.state IN ('running', 'paused')"
        " GROUP BY backfill.id"
    ):
        assert count <= most
    (others,) = world.file.select("SELECT count(*) FROM run WHERE state = 'running' AND run_type <> 'backfill'")[0]
    assert others <= min(spec.max_active_runs for spec in world.dags.values())


def a_date_has_one_fate(world: World, _turn: Turn) -> None:
    """A run or a reason, never both; a run of one date, and of its logical date."""
    wrong = "SELECT * FROM backfill_date WHERE run IS NOT NULL AND reason IS NOT NULL OR (run IS NULL) <> (run_id IS NULL)"
    assert world.file.select(wrong) == []
    strange = "SELECT * FROM backfill_date AS date JOIN run ON run.id = date.run WHERE run.logical_date <> date.logical_date"
    assert world.file.select(strange) == []
    assert world.file.select("SELECT run FROM backfill_date WHERE run IS NOT NULL GROUP BY backfill, run HAVING count(*) > 1") == []


def the_past_is_met(world: World, turn: Turn) -> None:
    """What depends on its past starts when the file says that the run before is good, or as the first of a backfill.

    What was good when that was decided may have been cleared later in the same turn.
    """
    cleared = {move.id for move in turn.moves.reset_task}
    first = {move.id for move in turn.moves.start_task if move.expected == "none"}
    for ti in turn.start:
        run = ti.run
        if not ti.spec.depends_on_past or ti.id not in first or run.logical_date is None:
            continue
        if world.file.select("SELECT 1 FROM backfill_date WHERE run = :run AND ordinal = 1", run=run.id):
            continue
        before = world.file.select(
            "SELECT id FROM run WHERE dag_id = :dag AND logical_date < :date AND (run_type <> 'manual' OR NOT :scheduled)"
            " ORDER BY logical_date DESC LIMIT 1",
            dag=run.dag_id, date=run.logical_date, scheduled=run.spec.catchup,
        )  # fmt: skip
        for (row,) in before:
            (past,) = world.file.select("SELECT id, state FROM task_instance WHERE run = :r AND task_id = :t", r=row, t=ti.spec.task_id)
            assert past[1] in ("success", "skipped") or past[0] in cleared, (ti, past)


LAWS = (no_backfill_exceeds_its_limit, a_date_has_one_fate, the_past_is_met, moves_are_legal)

Ticks = Callable[[int, int, int], list[int]]
"""The logical dates of a window, found by trying every minute: (from, to, now)."""


def _each_minute(first: int, last: int) -> range:
    return range(-(-first // MINUTE) * MINUTE, last + 1, MINUTE)


def _hours(first: int, last: int, now: int) -> list[int]:
    return [moment for moment in _each_minute(first, last) if moment % HOUR == 0 and moment + HOUR < now]


def _fives(first: int, last: int, now: int) -> list[int]:
    return [moment for moment in _each_minute(first, last) if moment % (5 * MINUTE) == 0 and moment < now]


def _sevens(first: int, last: int, now: int) -> list[int]:
    return [moment for moment in range(first, last + 1, 7 * MINUTE) if moment < now]


SCHEDULES: tuple[tuple[Any, Ticks, int], ...] = (
    (CronTriggerTimetable("*/5 * * * *", timezone="UTC"), _fives, 5 * MINUTE),
    (CronDataIntervalTimetable("0 * * * *", timezone="UTC"), _hours, HOUR),
    (DeltaTriggerTimetable(timedelta(minutes=7)), _sevens, 7 * MINUTE),
)


class Life:
    """A DAG with a schedule and a backfill of it, by a seed. What a body does is given by its run and how often it failed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        rng = self.rng
        self.timetable, ticks, period = rng.choice(SCHEDULES)
        self.world = Filling(parallelism=rng.choice((1, 3, 32)), laws=LAWS)
        looks_back = rng.random() < 0.4
        tasks = [a_task("a", depends_on_past=looks_back), a_task("b", 0, retries=1, retry_delay=SECOND)]
        if rng.random() < 0.3:
            tasks = [a_task("a", depends_on_past=looks_back, bodyless=True)]
        count = rng.randint(1, 12)
        first = NEW_YEAR - count * period + rng.randint(-2, 2) * MINUTE
        last = first + rng.randint(count // 2, count + 3) * period
        self.world.add(
            dag_of(
                "dag", *tasks, timetable=self.timetable.to_spec(), start_date=NEW_YEAR - 2 * period, end_date=NEW_YEAR + 3 * period,
                catchup=rng.random() < 0.5, max_active_runs=rng.randint(1, 3),
            )
        )  # fmt: skip
        reprocess = rng.choice(("failed", "completed") if looks_back else ("none", "failed", "completed"))
        backwards = not looks_back and rng.random() < 0.5
        self.plan = Plan("dag", first, last, backwards, reprocess, rng.randint(1, 4), None)
        self.wanted = ticks(first, last, NEW_YEAR)
        if backwards:
            self.wanted.reverse()

    def outcome(self, work: Work) -> Outcome:
        luck = random.Random(f"{self.seed} {work.key.run.run_id} {work.key.key} {work.try_number}").random()
        return failed() if luck < 0.2 else succeeded()

    def begin(self) -> bool:
        """Some dates have a run already, then the backfill is made; False if it has no dates."""
        for date in self.rng.sample(self.wanted, min(len(self.wanted), self.rng.randint(0, 4))):
            self.manual(date)
        if self.rng.random() < 0.7:
            self.finish_bodies()
        if not self.wanted:
            try:
                self.world.backfill(self.plan)
            except BackfillError:
                return False
            raise AssertionError("it has no dates")
        self.world.backfill(self.plan)
        return True

    def manual(self, date: int) -> None:
        try:
            self.world.trigger("dag", date=date)
        except RunExists:
            pass

    def finish_bodies(self) -> None:
        for _ in range(200):
            if not self.world.works:
                return
            work = self.rng.choice(self.world.works)
            self.world.end(work, self.outcome(work))
            self.world.turn()

    def act(self) -> None:
        """Something happens."""
        world, rng = self.world, self.rng
        what = rng.random()
        if what < 0.5 and world.works:
            work = rng.choice(world.works)
            world.end(work, self.outcome(work))
            world.turn()
        elif what < 0.6:
            world.pass_time()
        elif what < 0.7:
            self.manual(rng.choice(self.wanted))
        elif what < 0.73:
            self.clear_one()
        elif what < 0.8:
            world.ask(requests.Pause("dag", rng.random() < 0.5))
        elif what < 0.9:
            self.ask_of_backfill(rng.choice((requests.PauseBackfill, requests.UnpauseBackfill)))
        else:
            world.turn()

    def clear_one(self) -> None:
        """Some run starts anew, as somebody wants it to."""
        ids = self.world.file.select("SELECT run_id FROM run ORDER BY id")
        if ids:
            found = drive(Desk(self.world).find_run("dag", self.rng.choice(ids)[0]))
            self.world.ask(requests.Clear("dag", [(found, Which())]))

    def ask_of_backfill(self, kind: Any) -> None:
        """It may have ended by then."""
        try:
            self.world.ask(kind(1))
        except BackfillError:
            if self.world.states_of_backfills() != ["completed"]:
                raise

    def let_all_go(self) -> None:
        self.world.ask(requests.Pause("dag", False))
        self.ask_of_backfill(requests.UnpauseBackfill)
        self.world.finish(self.outcome)

    def is_accounted_for(self) -> None:
        """The dates are those of the window, in order; each has a run or a reason, unless a failure in the past keeps it."""
        dates = self.world.dates()
        assert [date for date, _, _ in dates] == self.wanted
        if self.world.states_of_backfills() == ["completed"]:
            assert all((run_id is None) != (reason is None) for _, run_id, reason in dates)
        else:
            stuck = [ti for ti in self.world.instances() if self.world.why(ti).startswith("depends_on_past")]
            assert stuck
        linked = self.world.file.select("SELECT count(*) FROM run WHERE run_type = 'backfill'")
        assert linked == self.world.file.select("SELECT count(run) FROM backfill_date")


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_every_date_has_one_run_or_a_reason_whatever_happens(seed: int, steps: int) -> None:
    life = Life(seed)
    if not life.begin():
        return
    for _ in range(steps):
        if life.rng.random() < 0.12:
            life.rng.choice((life.world.crash, life.world.crash_before_commit))()
        life.act()
    life.let_all_go()
    life.is_accounted_for()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_stopped_anywhere_and_started_again_it_ends_as_without_the_stop(seed: int, stops: list[int]) -> None:
    ends = []
    for kills in ([], stops):
        life = Life(seed)
        if not life.begin():
            return
        for step in range(2_000):
            if step in kills and kills.count(step) < 3:
                life.world.crash()
            if life.world.works:
                work = life.world.works[0]
                life.world.end(work, succeeded())
                life.world.turn()
            elif life.world.asked:
                life.world.turn()
            elif not life.world.pass_time():
                break
        life.is_accounted_for()
        ends.append((life.world.dates(), life.world.states_of_backfills()))
    took_down = life.world.file.select("SELECT count(*) FROM attempts WHERE reason LIKE 'took the process down%'")
    if took_down == [(0,)]:
        assert ends[0] == ends[1]
