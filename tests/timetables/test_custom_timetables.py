"""Timetables as users write them for Airflow (its docs: "Customizing DAG scheduling with timetables")."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flowlet import DAG, DagError, Engine, TaskState, task
from flowlet.clock import HOUR, MINUTE, to_micros
from flowlet.errors import TimetableError
from flowlet.registry.loading import load_file
from flowlet.scheduler.ticks import COALESCED, Schedule, plan_ticks
from flowlet.testing import VirtualClock
from flowlet.timetables import (
    AskedTimetable,
    CronTriggerTimetable,
    DagRunInfo,
    DataInterval,
    Interval,
    TimeRestriction,
    Timetable,
    guard,
    timetable_for,
    timetable_from_spec,
)


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


class AfterWorkday(Timetable):
    """A run after each working day, about that day."""

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        start = self._workday_until(datetime.combine(run_after.date(), time.min, UTC) - timedelta(days=1))
        return DataInterval(start, start + timedelta(days=1))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if last_automated_data_interval is not None:
            start = last_automated_data_interval.start + timedelta(days=1)
        elif restriction.earliest is None:
            return None
        else:
            start = restriction.earliest
            if start.time() != time.min:
                start = datetime.combine(start.date() + timedelta(days=1), time.min, UTC)
        while start.weekday() >= 5:
            start += timedelta(days=1)
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=start + timedelta(days=1))

    def _workday_until(self, day: datetime) -> datetime:
        while day.weekday() >= 5:
            day -= timedelta(days=1)
        return day


def schedule(user: object, start: str | None = None, end: str | None = None, *, catchup: bool = False) -> Schedule:
    timetable = timetable_for(user, where="here")
    return Schedule(timetable, None if start is None else at(start), None if end is None else at(end), catchup)


def runs(plan: Any) -> list[int]:
    return [due for due, _ in plan.ticks_to_run]


# -- asked one run after the other --------------------------------------------------------------------


def test_with_catchup_each_run_follows_the_interval_of_the_one_before() -> None:
    plan = plan_ticks(schedule(AfterWorkday(), "2026-06-04", catchup=True), None, at("2026-06-09T12:00"), room=9)
    assert plan.ticks_to_run == [
        (at("2026-06-05"), Interval(at("2026-06-04"), at("2026-06-04"), at("2026-06-05"))),
        (at("2026-06-06"), Interval(at("2026-06-05"), at("2026-06-05"), at("2026-06-06"))),
        (at("2026-06-09"), Interval(at("2026-06-08"), at("2026-06-08"), at("2026-06-09"))),
    ]
    assert plan.next_due == at("2026-06-10")


def test_without_catchup_the_latest_is_run_and_the_others_are_accounted_for() -> None:
    workdays = schedule(AfterWorkday(), "2026-06-01")
    first = plan_ticks(workdays, None, at("2026-06-05T12:00"), room=9)
    assert (runs(first), [span.count for span in first.spans]) == ([at("2026-06-05")], [3])
    later = plan_ticks(workdays, first.cursor, at("2026-06-10T12:00"), room=9)
    assert runs(later) == [at("2026-06-10")]
    assert [(span.outcome, span.count) for span in later.spans] == [(COALESCED, 2)]


def test_the_end_date_ends_it_and_a_run_about_the_end_itself_is_made() -> None:
    plan = plan_ticks(schedule(AfterWorkday(), "2026-06-04", "2026-06-05", catchup=True), None, at("2026-07-01"), room=9)
    assert (runs(plan), plan.next_due) == ([at("2026-06-05"), at("2026-06-06")], None)


def test_a_timetable_that_forgets_the_end_date_is_ended_all_the_same() -> None:
    class Forgetful(AfterWorkday):
        def next_dagrun_info(self, **asked: Any) -> DagRunInfo | None:
            restriction = asked.pop("restriction")._replace(latest=None)
            return super().next_dagrun_info(restriction=restriction, **asked)

    plan = plan_ticks(schedule(Forgetful(), "2026-06-04", "2026-06-05", catchup=True), None, at("2026-07-01"), room=9)
    assert (runs(plan), plan.next_due) == ([at("2026-06-05"), at("2026-06-06")], None)


def test_what_it_does_not_want_to_schedule_is_never_due() -> None:
    plan = plan_ticks(schedule(AfterWorkday()), None, at("2026-06-10"), room=9)
    assert (plan.ticks_to_run, plan.spans, plan.next_due) == ([], [], None)


def test_after_a_restart_it_goes_on_from_the_last_run_on_file() -> None:
    again = schedule(AfterWorkday(), "2026-06-01", catchup=True)
    again.learn(at("2026-06-06"), Interval(at("2026-06-05"), at("2026-06-05"), at("2026-06-06")))
    plan = plan_ticks(again, at("2026-06-06"), at("2026-06-09T12:00"), room=9)
    assert plan.ticks_to_run == [(at("2026-06-09"), Interval(at("2026-06-08"), at("2026-06-08"), at("2026-06-09")))]


def test_a_triggered_run_gets_the_interval_that_it_infers() -> None:
    sunday = at("2026-06-07T12:00")
    assert timetable_for(AfterWorkday(), where="").infer_manual(sunday) == Interval(sunday, at("2026-06-05"), at("2026-06-06"))


def test_without_catchup_it_may_skip_by_itself_and_is_told_the_moment_of_the_plan() -> None:
    """A class that builds on one of ours is asked, and ours answer it as Airflow's would."""

    class Hourly(CronTriggerTimetable):
        def next_dagrun_info(self, **asked: Any) -> DagRunInfo | None:
            info = super().next_dagrun_info(**asked)
            return None if info is None else info._replace(run_after=info.run_after + timedelta(minutes=5))

    hourly = schedule(Hourly("@hourly", timezone="UTC"), "2020-01-01")
    plan = plan_ticks(hourly, None, at("2026-06-10T07:45"), room=9)
    assert runs(plan) == [at("2026-06-10T07:05")]
    assert plan.spans == []
    assert plan.next_due == at("2026-06-10T08:05")


def test_an_object_that_only_looks_like_a_timetable_is_one() -> None:
    class Duck:
        def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: Any) -> Any:
            moment = restriction.earliest if last_automated_data_interval is None else last_automated_data_interval.end + timedelta(hours=1)
            return DagRunInfo.exact(moment)

        def infer_manual_data_interval(self, *, run_after: datetime) -> Any:
            return DataInterval.exact(run_after)

    plan = plan_ticks(schedule(Duck(), "2026-06-01T05:00", catchup=True), None, at("2026-06-01T06:30"), room=9)
    assert runs(plan) == [at("2026-06-01T05:00"), at("2026-06-01T06:00")]


def test_a_class_that_gives_flowlets_own_method_is_asked_through_it() -> None:
    class Squares(Timetable):
        def next_after(self, moment: int) -> int | None:
            root = 0
            while root * root * MINUTE <= moment:
                root += 1
            return root * root * MINUTE if root <= 5 else None

    plan = plan_ticks(schedule(Squares(), "1970-01-01", catchup=True), None, 20 * MINUTE, room=9)
    assert (runs(plan), plan.next_due) == ([0, MINUTE, 4 * MINUTE, 9 * MINUTE, 16 * MINUTE], 25 * MINUTE)


def test_where_pendulum_is_loaded_its_datetimes_are_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pendulum(NamedTuple):
        moment: datetime

    seen: list[Any] = []

    class Curious(AfterWorkday):
        def next_dagrun_info(self, **asked: Any) -> None:
            seen.append(asked["restriction"].earliest)

    monkeypatch.setitem(sys.modules, "pendulum", type("module", (), {"instance": Pendulum}))  # what is used of it
    plan_ticks(schedule(Curious(), "2026-06-01"), None, at("2026-06-02"), room=1)
    assert seen == [Pendulum(datetime(2026, 6, 1, tzinfo=UTC))]


# -- what goes wrong in them is their DAG's error -----------------------------------------------------

MOMENT = datetime(2026, 6, 1, tzinfo=UTC)


class Answering(AfterWorkday):
    """Gives whatever it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def next_dagrun_info(self, **_: Any) -> Any:
        return self.answer() if callable(self.answer) else self.answer

    infer_manual_data_interval = next_dagrun_info  # as wrong


def raising(error: BaseException) -> Any:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (raising(ValueError("no calendar")), r"Answering: next_dagrun_info raised ValueError: no calendar"),
        (raising(SystemExit(3)), r"next_dagrun_info raised SystemExit: 3"),
        (raising(StopIteration()), r"next_dagrun_info raised StopIteration$"),
        ("tomorrow", r"gave 'tomorrow': run_after is None, not a datetime"),
        (DagRunInfo.exact(datetime(2026, 6, 1)), r"run_after is datetime.datetime\(2026, 6, 1, 0, 0\), without a time zone"),  # noqa: DTZ001  the mistake
        (DagRunInfo(MOMENT, None), r"the start of data_interval is None, not a datetime"),
        (DagRunInfo.interval(MOMENT, MOMENT - timedelta(1)), r"ends at 2026-05-31T00:00:00.000000Z, before it starts"),
        (DagRunInfo.exact(MOMENT), r"gave a run at 2026-06-01T00:00:00.000000Z after the one at .*: it does not lead on"),
    ],
)
def test_a_wrong_answer_is_an_error_that_says_what_it_was(answer: Any, says: str) -> None:
    with pytest.raises(TimetableError, match=says):
        plan_ticks(schedule(Answering(answer), "2026-06-01"), None, at("2026-06-02"), room=9)


def test_a_loop_in_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LONGEST_ANSWER", 0.05)

    def forever() -> None:
        while True:
            pass

    with pytest.raises(TimetableError, match=r"next_dagrun_info gave no answer within 0.05 s"):
        plan_ticks(schedule(Answering(forever), "2026-06-01"), None, at("2026-06-02"), room=9)
    for thread in threading.enumerate():
        if thread.name == "flowlet:timetable":
            thread.join(30)
            assert not thread.is_alive()


def test_runs_without_number_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowlet.timetables.asked.LONGEST_WALK", 50)
    with pytest.raises(TimetableError, match="more than 50 runs are due at once"):
        plan_ticks(schedule(AfterWorkday(), "2020-01-01", catchup=True), None, at("2026-06-02"), room=9)


def test_a_wrong_interval_for_a_triggered_run_is_an_error() -> None:
    with pytest.raises(TimetableError, match=r"infer_manual_data_interval: the start of data_interval is None"):
        timetable_for(Answering(7), where="").infer_manual(0)


def test_a_timetable_that_does_not_validate_is_refused_with_the_place_of_its_dag() -> None:
    class Invalid(AfterWorkday):
        def validate(self) -> None:
            raise ValueError("the calendar is empty")

    with pytest.raises(DagError, match=r"DAG 'etl', .*test_custom_timetables.py.*Invalid: validate raised ValueError: the calendar is empty"):
        DAG("etl", schedule=Invalid())


# -- on file ------------------------------------------------------------------------------------------


class Calendar(AfterWorkday):
    def __init__(self, country: str) -> None:
        self.country = country
        self.description = f"working days in {country}"

    def serialize(self) -> dict[str, Any]:
        return {"country": self.country}


def test_its_spec_describes_it_and_tells_an_edit() -> None:
    norway, spain = timetable_for(Calendar("Norway"), where=""), timetable_for(Calendar("Spain"), where="")
    assert norway.description == "working days in Norway"
    assert norway == timetable_from_spec(norway.to_spec()) == timetable_for(Calendar("Norway"), where="")
    assert norway != spain
    assert timetable_for(AfterWorkday(), where="").description == "AfterWorkday"


def test_what_serialize_gives_must_be_json() -> None:
    class Odd(AfterWorkday):
        def serialize(self) -> dict[str, Any]:
            return {"day": MOMENT}

    with pytest.raises(TimetableError, match="what serialize gives must be JSON"):
        timetable_for(Odd(), where="")


def test_another_process_says_that_it_cannot_tell() -> None:
    there = timetable_from_spec(timetable_for(Calendar("Norway"), where="").to_spec())
    assert isinstance(there, AskedTimetable)
    for ask in (there.next_after, there.infer_manual):
        with pytest.raises(TimetableError, match=r"Calendar, a timetable class of the DAG's own code .working days in Norway.: only the process"):
            ask(0)


# -- through the engine -------------------------------------------------------------------------------


def a_dag(user: object, dag_id: str = "workdays", *, start: datetime = datetime(2026, 6, 4, tzinfo=UTC), catchup: bool = True) -> DAG:
    with DAG(dag_id, schedule=user, start_date=start, catchup=catchup) as dag:

        @task
        async def look(data_interval_start: datetime) -> str:
            return data_interval_start.isoformat()

        look()
    return dag


async def intervals_of(engine: Engine, dag_id: str) -> list[str]:
    rows = await engine._parts()[1].fetch("last_runs", dag_id=dag_id, limit=100)
    values = [await (await engine.run(dag_id, row[2])).xcom("look") for row in reversed(rows)]
    return [value[:10] for value in values]


async def events(engine: Engine, kind: str) -> list[str]:
    rows = await engine._parts()[1].fetch("last_events", limit=100)
    return [row[-1] for row in rows if row[1] == kind]


@pytest.mark.anyio
async def test_its_runs_are_made_when_they_are_due_and_go_on_after_a_restart(tmp_path: Path) -> None:
    file, clock = tmp_path / "flowlet.db", VirtualClock(datetime(2026, 6, 4, 12, tzinfo=UTC))
    async with Engine(file, dags=[a_dag(AfterWorkday())], clock=clock) as engine:
        await clock.run_until(datetime(2026, 6, 6, 12, tzinfo=UTC))
        assert await intervals_of(engine, "workdays") == ["2026-06-04", "2026-06-05"]
    async with Engine(file, dags=[a_dag(AfterWorkday())], clock=clock) as engine:
        await clock.run_until(datetime(2026, 6, 10, 12, tzinfo=UTC))
        assert await intervals_of(engine, "workdays") == ["2026-06-04", "2026-06-05", "2026-06-08", "2026-06-09"]


@pytest.mark.anyio
async def test_after_a_restart_it_is_asked_from_the_run_on_file(tmp_path: Path) -> None:
    asked: list[DataInterval | None] = []

    class Remembering(AfterWorkday):
        def next_dagrun_info(self, **more: Any) -> DagRunInfo | None:
            asked.append(more["last_automated_data_interval"])
            return super().next_dagrun_info(**more)

    file, clock = tmp_path / "flowlet.db", VirtualClock(datetime(2026, 6, 4, 12, tzinfo=UTC))
    async with Engine(file, dags=[a_dag(Remembering())], clock=clock) as engine:
        await clock.run_until(datetime(2026, 6, 5, 12, tzinfo=UTC))
        assert await intervals_of(engine, "workdays") == ["2026-06-04"]
    asked.clear()
    async with Engine(file, dags=[a_dag(Remembering())], clock=clock):
        await clock.run_until(datetime(2026, 6, 5, 18, tzinfo=UTC))
    assert set(asked) == {DataInterval(datetime(2026, 6, 4, tzinfo=UTC), datetime(2026, 6, 5, tzinfo=UTC))}


@pytest.mark.anyio
async def test_one_that_fails_costs_its_dag_the_schedule_and_no_other_dag_anything() -> None:
    clock = VirtualClock(datetime(2026, 6, 4, tzinfo=UTC))
    broken = a_dag(Answering(raising(ValueError("no calendar"))), "broken")
    hourly = a_dag("@hourly", "hourly", catchup=False)
    async with Engine(dags=[broken, hourly], clock=clock) as engine:
        await clock.run_until(clock.now() + 3 * HOUR + MINUTE)
        assert len(await intervals_of(engine, "hourly")) == 4
        (text,) = await events(engine, "schedule_failed")
        assert "Answering: next_dagrun_info raised ValueError: no calendar" in text
        with pytest.raises(TimetableError, match="infer_manual_data_interval raised ValueError: no calendar"):
            await engine.trigger("broken")
        run = await (await engine.trigger("broken", logical_date=None, run_id="without_a_date")).wait()
        assert run.task_states == {"look": TaskState.FAILED}  # there is no data_interval_start


@pytest.mark.anyio
async def test_an_edit_from_one_timetable_to_another_makes_no_run_for_the_past(tmp_path: Path) -> None:
    file, clock = tmp_path / "flowlet.db", VirtualClock(datetime(2026, 6, 5, 12, tzinfo=UTC))
    async with Engine(file, dags=[a_dag(Calendar("Norway"))], clock=clock) as engine:
        await clock.run_until(clock.now() + HOUR)
    clock.set(datetime(2026, 6, 10, 12, tzinfo=UTC))
    async with Engine(file, dags=[a_dag(Calendar("Spain"))], clock=clock) as engine:
        await clock.run_until(datetime(2026, 6, 11, 12, tzinfo=UTC))
        assert await intervals_of(engine, "workdays") == ["2026-06-04", "2026-06-10"]


@pytest.mark.anyio
async def test_a_file_that_is_moved_has_the_schedule_that_it_had(tmp_path: Path) -> None:
    code = (
        "from datetime import UTC, datetime, timedelta\n"
        "from flowlet import DAG, DagRunInfo, EmptyOperator, Timetable\n"
        "class Mine(Timetable):\n"
        "    def next_dagrun_info(self, *, last_automated_data_interval, restriction):\n"
        "        last = last_automated_data_interval\n"
        "        return DagRunInfo.exact(restriction.earliest if last is None else last.end + timedelta(hours=1))\n"
        "with DAG('mine', schedule=Mine(), start_date=datetime(2026, 6, 4, tzinfo=UTC), catchup=True):\n"
        "    EmptyOperator(task_id='nothing')\n"
    )
    clock = VirtualClock(datetime(2026, 6, 4, 2, 30, tzinfo=UTC))
    made = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dag.py").write_text(code)
        (dag,) = load_file(tmp_path / folder / "dag.py").dags
        async with Engine(tmp_path / "flowlet.db", dags=[dag], clock=clock) as engine:
            await clock.run_until(clock.now() + MINUTE)
            made.append(len(await engine._parts()[1].fetch("last_runs", dag_id="mine", limit=100)))
        clock.advance(timedelta(hours=2))
    assert made == [3, 5]


def test_flowlet_next_says_why_it_cannot_tell(tmp_path: Path) -> None:
    file = tmp_path / "dag.py"
    file.write_text(
        "from datetime import datetime\n"
        "from flowlet import DAG, EmptyOperator\n"
        "from flowlet.timetables import Timetable\n"
        "class Mine(Timetable):\n"
        "    def next_dagrun_info(self, *, last_automated_data_interval, restriction): return None\n"
        "with DAG('mine', schedule=Mine(), start_date=datetime(2026, 1, 1)):\n"
        "    EmptyOperator(task_id='nothing')\n"
    )
    database = str(tmp_path / "flowlet.db")

    def flowlet(*words: str) -> Any:
        command = [sys.executable, "-m", "flowlet", *words, "--db", database]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    assert flowlet("run", str(file)).returncode == 0
    asked = flowlet("next", "mine")
    assert asked.returncode != 0
    assert "Mine, a timetable class of the DAG's own code" in asked.stderr
    assert "Traceback" not in asked.stderr
    listed = flowlet("dags", "list")
    assert listed.returncode == 0
    assert "Mine" in listed.stdout
