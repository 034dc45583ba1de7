"""Deferred tasks: they let go of everything until their trigger fires, then go on in the same try."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowlet import (
    DAG,
    BaseOperator,
    BaseSensorOperator,
    BaseTrigger,
    Engine,
    PythonOperator,
    TriggerEvent,
    task,
)
from flowlet.authoring.triggers import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent
from flowlet.errors import TaskDeferralError
from flowlet.operators.triggers import DateTimeTrigger, FileTrigger, TimeDeltaTrigger
from flowlet.testing import VirtualClock

pytestmark = pytest.mark.anyio
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = 1_000_000


class Bell(BaseTrigger):
    """A trigger that the test rings; it tells when it is waited for and how it ended."""

    def __init__(self, event: TriggerEvent | None = None, error: BaseException | None = None) -> None:
        super().__init__()
        self.event, self.error = event or TriggerEvent("rang"), error
        self.heard = asyncio.Event()
        self.rung = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = False

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self.heard.set()
        try:
            await self.rung.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        yield self.event

    async def cleanup(self) -> None:
        self.ended.set()


class Now(BaseTrigger):
    """Fires what it is given at once."""

    def __init__(self, *events: Any) -> None:
        super().__init__()
        self.events = events

    async def run(self) -> AsyncIterator[TriggerEvent]:
        for event in self.events:
            if isinstance(event, BaseException):
                raise event
            yield event


class Defers(BaseOperator):
    """Defers once, with the trigger and the options that it is given; its output is the event."""

    def __init__(self, *, trigger: Callable[[], BaseTrigger], seen: list[Any] | None = None, options: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trigger, self.options = trigger, options or {}
        self.seen: list[Any] = seen if seen is not None else []

    def execute(self, context: Any) -> Any:
        self.seen.append(("execute", context["ti"].try_number))
        self.left_behind = True
        context["ti"].xcom_push("before", 1)
        try:
            self.defer(trigger=self.trigger(), method_name="go_on", **self.options)
        except Exception as caught:  # as careless user code does
            return f"caught {caught!r}"

    def go_on(self, context: Any, event: Any, **kwargs: Any) -> Any:
        self.seen.append(("go_on", context["ti"].try_number, event, kwargs))
        assert not hasattr(self, "left_behind"), "the operator is a fresh copy"
        return event


def deferring(trigger: Callable[[], BaseTrigger], seen: list[Any] | None = None, **arguments: Any) -> DAG:
    with DAG("deferring") as dag:
        Defers(task_id="wait", trigger=trigger, seen=seen, **arguments)
    return dag


def told(dag: DAG, **options: Any) -> dict[str, Any]:
    options.setdefault("logical_date", NEW_YEAR)
    story: dict[str, Any] = dag.test(**options).as_dict()
    return story


async def ended(engine: Engine, **options: Any) -> dict[str, Any]:
    return (await (await engine.trigger("deferring", **options)).wait()).as_dict()


def rows(path: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


# -- how it goes on --------------------------------------------------------------------------------------


def test_it_goes_on_by_its_method_with_the_event_in_the_same_try() -> None:
    seen: list[Any] = []
    story = told(deferring(lambda: Now(TriggerEvent({"a": 1})), seen, options={"kwargs": {"more": 2}}))
    assert seen == [("execute", 1), ("go_on", 1, {"a": 1}, {"more": 2})]
    assert (story["state"], story["tries"]["wait"]) == ("success", 1)
    assert story["xcoms"]["wait:return_value"] == {"a": 1}


def test_what_was_pushed_before_is_pulled_after_and_kept() -> None:
    class Pulls(Defers):
        def go_on(self, context: Any, event: Any, **_: Any) -> Any:
            return context["ti"].xcom_pull(key="before")

    with DAG("deferring") as dag:
        Pulls(task_id="wait", trigger=lambda: Now(TriggerEvent()))
    story = told(dag)
    assert story["xcoms"] == {"wait:before": 1, "wait:return_value": 1}


def test_only_the_first_event_counts() -> None:
    story = told(deferring(lambda: Now(TriggerEvent("first"), TriggerEvent("second"))))
    assert story["xcoms"]["wait:return_value"] == "first"


def test_it_may_defer_again_and_again() -> None:
    class Twice(Defers):
        def go_on(self, context: Any, event: Any, **_: Any) -> Any:
            self.seen.append(event)
            self.defer(trigger=Now(TriggerEvent("two")), method_name="end")

        def end(self, context: Any, event: Any) -> Any:
            return [*self.seen[-1:], event]

    with DAG("deferring") as dag:
        Twice(task_id="wait", trigger=lambda: Now(TriggerEvent("one")))
    story = told(dag)
    assert story["xcoms"] == {"wait:before": 1, "wait:return_value": ["one", "two"]}
    assert story["tries"]["wait"] == 1


def test_templates_are_filled_in_again_and_a_plain_call_may_defer_too() -> None:
    class Calls(PythonOperator):
        def go_on(self, context: Any, event: Any) -> Any:
            return [event, self.op_args]

    def body(word: str) -> None:
        from flowlet import get_current_context

        get_current_context()["task"].defer(trigger=Now(TriggerEvent(word)), method_name="go_on")

    with DAG("deferring") as dag:
        Calls(task_id="wait", python_callable=body, op_args=["{{ ds }}"])
    assert told(dag)["xcoms"] == {"wait:return_value": ["2026-01-01", ["2026-01-01"]]}


@pytest.mark.parametrize("method", ["here", "on_loop"])
def test_a_method_that_is_async_goes_on_on_the_loop_and_any_other_in_a_thread(method: str) -> None:
    class Either(BaseOperator):
        def execute(self, context: Any) -> None:
            self.defer(trigger=Now(TriggerEvent()), method_name=method)

        def here(self, context: Any, event: Any) -> str:
            return threading.current_thread().name.partition("-")[0]

        async def on_loop(self, context: Any, event: Any) -> str:
            return (asyncio.current_task() or threading.current_thread()).get_name()

    with DAG("deferring") as dag:
        Either(task_id="wait")
    expected = {"here": "flowlet:body", "on_loop": "wait"}[method]
    assert told(dag)["xcoms"]["wait:return_value"] == expected


def test_each_instance_of_a_mapped_task_waits_for_its_own() -> None:
    class Mapped(BaseOperator):
        def __init__(self, *, hours: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.hours = hours

        def execute(self, context: Any) -> None:
            self.defer(trigger=TimeDeltaTrigger(self.hours * HOUR), method_name="go_on", kwargs={"own": self.hours})

        def go_on(self, context: Any, event: Any, own: int) -> list[int]:
            return [own, self.hours]

    with DAG("deferring") as dag:
        Mapped.partial(task_id="wait").expand(hours=[3, 1, 2])

        @task
        def gather(found: Any) -> list[Any]:
            return list(found)

        gather(dag.task_dict["wait"].output)
    assert told(dag)["xcoms"]["gather:return_value"] == [[3, 3], [1, 1], [2, 2]]


# -- how it fails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        (lambda: Now(ValueError("no")), "its trigger Now failed: ValueError: no"),
        (lambda: Now(SystemExit(3)), "its trigger Now failed: the task called sys.exit(3)"),
        (Now, "its trigger Now failed: TaskDeferralError: it ended without an event"),
        (lambda: Now("text"), "its trigger Now failed: TaskDeferralError: it yielded 'text', which is no TriggerEvent"),
        (BaseTrigger, "its trigger BaseTrigger failed: NotImplementedError: BaseTrigger defines no run()"),
    ],
)
def test_a_trigger_that_fails_fails_the_task(trigger: Callable[[], BaseTrigger], reason: str) -> None:
    seen: list[Any] = []
    story = told(deferring(trigger, seen))
    assert story["errors"] == {"wait": ["TaskDeferralError"]}
    assert reason in story["reasons"]["wait"]
    assert seen == [("execute", 1)]


def test_a_failed_trigger_is_tried_again_from_execute() -> None:
    seen: list[Any] = []
    triggers = [Now(ValueError("no")), Now(TriggerEvent("yes"))]
    story = told(deferring(lambda: triggers.pop(0), seen, retries=1))
    assert seen == [("execute", 1), ("execute", 2), ("go_on", 2, "yes", {})]
    assert (story["state"], story["tries"]["wait"]) == ("success", 2)


@pytest.mark.parametrize("options", [{"trigger": "text"}, {"timeout": "soon"}, {"kwargs": [1]}])
def test_a_wrong_argument_of_defer_fails_the_task(options: dict[str, Any]) -> None:
    class Wrong(BaseOperator):
        def execute(self, context: Any) -> None:
            self.defer(**{"trigger": Now(TriggerEvent()), "method_name": "go_on", **options})

    with DAG("deferring") as dag:
        Wrong(task_id="wait")
    assert told(dag)["errors"] == {"wait": ["TypeError"]}


def test_a_method_that_is_not_there_fails_the_task() -> None:
    with DAG("deferring") as dag:

        @task
        def wait() -> None:
            from flowlet import get_current_context

            get_current_context()["task"].defer(trigger=Now(TriggerEvent()), method_name="nowhere")

        wait()
    assert told(dag)["errors"] == {"wait": ["AttributeError"]}


def test_the_operator_may_make_something_else_of_a_failure() -> None:
    class Forgives(Defers):
        def resume_execution(self, next_method: Any, next_kwargs: Any, context: Any) -> Any:
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except TaskDeferralError as error:
                return type(error.__cause__).__name__

    with DAG("deferring") as dag:
        Forgives(task_id="wait", trigger=lambda: Now(ValueError("no")))
    assert told(dag)["xcoms"]["wait:return_value"] == "ValueError"


@pytest.mark.parametrize(
    ("event", "state"),
    [(TaskSuccessEvent, "success"), (TaskFailedEvent, "failed"), (TaskSkippedEvent, "skipped")],
)
def test_a_trigger_may_end_the_task_itself(event: Any, state: str) -> None:
    seen: list[Any] = []
    story = told(deferring(lambda: Now(event(xcoms={"found": 7})), seen, retries=3))
    assert (story["tasks"]["wait"], story["tries"]["wait"]) == (state, 1)
    assert story["xcoms"] == {"wait:before": 1, "wait:found": 7}
    assert seen == [("execute", 1)]


# -- moments, and the engine's clock ---------------------------------------------------------------------


@pytest.mark.parametrize("trigger", [lambda: TimeDeltaTrigger(HOUR), lambda: DateTimeTrigger(NEW_YEAR + HOUR)])
def test_a_moment_is_waited_for_by_the_engines_clock(trigger: Callable[[], BaseTrigger]) -> None:
    clock = VirtualClock(NEW_YEAR, auto=True)
    story = told(deferring(trigger), clock=clock)
    assert clock.now() == 1_767_225_600 * SECOND + 3600 * SECOND
    assert "2026-01-01T01:00:00" in str(story["xcoms"]["wait:return_value"])


def test_a_moment_that_lies_behind_fires_at_once() -> None:
    clock = VirtualClock(NEW_YEAR, auto=True)
    assert told(deferring(lambda: DateTimeTrigger(NEW_YEAR - HOUR)), clock=clock)["state"] == "success"
    assert clock.now() == 1_767_225_600 * SECOND


def test_a_moment_after_the_timeout_times_out_when_that_is_due() -> None:
    clock = VirtualClock(NEW_YEAR, auto=True)
    story = told(deferring(lambda: TimeDeltaTrigger(2 * HOUR), options={"timeout": HOUR}), clock=clock)
    assert story["errors"] == {"wait": ["TaskDeferralTimeout"]}
    assert "did not fire within 1:00:00" in story["reasons"]["wait"]
    assert clock.now() == 1_767_225_600 * SECOND + 3600 * SECOND


def test_the_wait_is_not_limited_by_execution_timeout() -> None:
    story = told(deferring(lambda: TimeDeltaTrigger(HOUR), execution_timeout=timedelta(minutes=1)))
    assert story["state"] == "success"


def test_a_trigger_may_end_the_task_at_a_moment() -> None:
    seen: list[Any] = []
    story = told(deferring(lambda: TimeDeltaTrigger(HOUR, end_from_trigger=True), seen))
    assert story["tasks"]["wait"] == "success"
    assert seen == [("execute", 1)]


async def test_a_trigger_of_ones_own_times_out_by_the_engines_clock() -> None:
    bell, clock = Bell(), VirtualClock(NEW_YEAR)
    async with Engine(dags=[deferring(lambda: bell, options={"timeout": 60})], clock=clock) as engine:
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        clock.advance(59)
        assert "waiting for its trigger Bell, until 2026-01-01T00:01:00.000000Z" in await engine.why("deferring", run.run_id, "wait")
        clock.advance(1)
        story = (await run.wait()).as_dict()
        await bell.ended.wait()
    assert story["errors"] == {"wait": ["TaskDeferralTimeout"]}
    assert bell.cancelled


def test_a_trigger_of_ones_own_times_out_in_real_time_where_the_clock_is_virtual() -> None:
    """As the limits of bodies do: the clock does not jump while somebody's code runs."""
    story = told(deferring(Bell, options={"timeout": 0.01}))
    assert story["errors"] == {"wait": ["TaskDeferralTimeout"]}


async def test_the_clock_does_not_jump_while_a_trigger_runs() -> None:
    class Told(VirtualClock):
        """It tells whether it might jump at the first time that it is waited for after the trigger began."""

        def __init__(self) -> None:
            super().__init__(NEW_YEAR, auto=True)
            self.asked = asyncio.get_running_loop().create_future()

        async def wait(self, news: asyncio.Event, until: int | None, *, busy: bool) -> None:
            if bell.heard.is_set() and not self.asked.done():
                self.asked.set_result(busy)
            await super().wait(news, until, busy=busy)

    bell, clock = Bell(), Told()
    async with Engine(dags=[deferring(lambda: bell, options={"timeout": HOUR})], clock=clock) as engine:
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        engine._scheduler.wake()  # it is open
        assert await clock.asked is True
        bell.rung.set()
        assert (await run.wait()).state == "success"


async def test_a_set_clock_changes_no_amount_of_time_and_moves_no_moment() -> None:
    clock = VirtualClock(NEW_YEAR)
    with DAG("deferring") as dag:
        Defers(task_id="span", trigger=lambda: TimeDeltaTrigger(HOUR))
        Defers(task_id="moment", trigger=lambda: DateTimeTrigger(NEW_YEAR + HOUR))
        Defers(task_id="limit", trigger=Bell, options={"timeout": HOUR})
    async with Engine(dags=[dag], clock=clock) as engine:
        run = await engine.trigger("deferring")
        for task_id in ("span", "moment", "limit"):
            await reach(engine, run, task_id, "deferred")
        clock.step(-HOUR / 2)
        await engine._scheduler.catch_up()  # until the step is noticed
        whys = [await engine.why("deferring", run.run_id, task_id) for task_id in ("span", "moment", "limit")]
    assert "until 2026-01-01T00:30:00" in whys[0]
    assert "until 2026-01-01T01:00:00" in whys[1]
    assert "until 2026-01-01T00:30:00" in whys[2]


def test_a_file_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").write_text("")
    assert told(deferring(lambda: FileTrigger(str(tmp_path / "*" / "*.csv"))))["xcoms"]["wait:return_value"] is True
    never = FileTrigger(str(tmp_path / "*.csv"), poke_interval=0.001)
    assert told(deferring(lambda: never, options={"timeout": 0.05}))["errors"] == {"wait": ["TaskDeferralTimeout"]}


# -- limits, and the end of runs and engines -------------------------------------------------------------


async def reach(engine: Engine, run: Any, task_id: str, state: str) -> None:
    """Until a task stands where it is to stand, on file."""
    while run._run.find(task_id).shown != state:
        assert run._run.find(task_id).shown not in ("success", "failed"), run.as_dict()
        await engine._scheduler.catch_up()  # a turn of the loop


async def test_a_deferred_task_holds_no_slot_of_anything() -> None:
    bells = [Bell(), Bell(), Bell()]
    with DAG("deferring", max_active_tasks=1) as dag:
        for number in range(3):
            Defers(task_id=f"wait{number}", trigger=lambda number=number: bells[number], pool="one")
    async with Engine(dags=[dag], pools={"one": 1}, parallelism=1) as engine:
        run = await engine.trigger("deferring")
        for bell in bells:
            await bell.heard.wait()
        assert (await engine.pools())["one"] == {"slots": 1, "used": 0}
        for bell in bells:
            bell.rung.set()
        assert (await run.wait()).state == "success"


@pytest.mark.parametrize("limit", ["max_active_tis_per_dag", "max_active_tis_per_dagrun"])
async def test_a_deferred_task_counts_for_the_limits_of_its_own_task(limit: str) -> None:
    """Airflow: `ACTIVE_STATES` of ti_deps/dependencies_states.py has deferred, and not up_for_reschedule."""
    bells = [Bell(), Bell()]
    left = list(bells)
    with DAG("deferring") as dag:
        Defers.partial(task_id="wait", trigger=lambda: left.pop(0), **{limit: 1}).expand(seen=[[], []])
    async with Engine(dags=[dag]) as engine:
        run = await engine.trigger("deferring")
        await bells[0].heard.wait()
        second = run._run.of_task("wait")[1]
        assert (second.state, limit in engine.brain.why(second)) == ("scheduled", True)
        bells[0].rung.set()
        await bells[1].heard.wait()
        bells[1].rung.set()
        assert (await run.wait()).state == "success"


async def test_a_pool_may_count_those_that_are_deferred(tmp_path: Path) -> None:
    bells = [Bell(), Bell()]
    with DAG("deferring") as dag:
        for number in range(2):
            Defers(task_id=f"wait{number}", trigger=lambda number=number: bells[number], pool="few", pool_slots=2)
    path = tmp_path / "flowlet.db"
    async with Engine(path, durability="process") as engine:
        await engine.set_pool("few", 3, include_deferred=True)
    async with Engine(path, dags=[dag], durability="process") as engine:
        run = await engine.trigger("deferring")
        await bells[0].heard.wait()
        assert (await engine.pools())["few"] == {"slots": 3, "used": 2}
        assert "pool 'few' (2 of 3 taken)" in await engine.why("deferring", run.run_id, "wait1")
        await engine.set_pool("few", 3)
        await bells[1].heard.wait()
        assert (await engine.pools())["few"]["used"] == 0
        await engine.set_pool("few", 3, include_deferred=True)
        assert (await engine.pools())["few"]["used"] == 4
        for bell in bells:
            bell.rung.set()
        assert (await run.wait()).state == "success"
        assert (await engine.pools())["few"]["used"] == 0
    assert rows(path, "SELECT name, slots, include_deferred FROM pool WHERE name = 'few'") == [("few", 3, 1)]


@pytest.mark.parametrize("how", ["cancelled", "edited", "its pool deleted and made again"])
async def test_what_a_deferred_task_counted_for_is_free_when_it_waits_no_longer(how: str) -> None:
    bell = Bell()
    dag = deferring(lambda: bell, pool="few", max_active_tis_per_dag=1)
    async with Engine(dags=[dag]) as engine:
        await engine.set_pool("few", 1, include_deferred=True)
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        if how == "cancelled":
            await engine.cancel("deferring", run.run_id)
        elif how == "edited":
            await engine.add(deferring(lambda: bell))
        else:
            await engine.delete_pool("few")
            await engine.set_pool("few", 1)
            assert (await engine.pools())["few"]["used"] == 0
        bell.rung.set()
        await run.wait()
        assert {name: limit["used"] for name, limit in (await engine.pools()).items()} == {"default_pool": 0, "few": 0}


async def test_it_waits_for_a_slot_like_any_other_when_it_goes_on() -> None:
    bell = Bell()
    async with Engine(dags=[deferring(lambda: bell, pool="one")], pools={"one": 1}) as engine:
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        await engine.set_pool("one", 0)
        bell.rung.set()
        await reach(engine, run, "wait", "scheduled")
        assert "waiting for a slot: pool 'one'" in await engine.why("deferring", run.run_id, "wait")
        await engine.set_pool("one", 1)
        story = (await run.wait()).as_dict()
    assert (story["state"], story["tries"]["wait"], story["xcoms"]["wait:return_value"]) == ("success", 1, "rang")


async def test_a_cancelled_run_stops_its_triggers(tmp_path: Path) -> None:
    bell, path = Bell(), tmp_path / "flowlet.db"
    async with Engine(path, dags=[deferring(lambda: bell)], durability="process", control=False) as engine:
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        await engine.cancel("deferring", run.run_id)
        await bell.ended.wait()
        bell.rung.set()
        assert (await run.wait()).state == "failed"
    assert bell.cancelled
    assert rows(path, "SELECT state FROM tasks") == [("skipped",)]
    assert rows(path, "SELECT try_number, outcome FROM attempts") == [(1, "cancelled")]


async def test_what_waits_when_the_engine_stops_begins_again_without_counting(tmp_path: Path) -> None:
    path, seen, bell = tmp_path / "flowlet.db", [], Bell()
    async with Engine(path, dags=[deferring(lambda: bell, seen)], durability="process", control=False) as engine:
        run_id = (await engine.trigger("deferring")).run_id
        await bell.heard.wait()
    assert bell.cancelled
    assert rows(path, "SELECT state FROM tasks") == [("deferred",)]
    async with Engine(path, dags=[deferring(lambda: Now(TriggerEvent("again")), seen)], durability="process", control=False) as engine:
        story = (await (await engine.run("deferring", run_id)).wait()).as_dict()
    assert seen == [("execute", 1), ("execute", 2), ("go_on", 2, "again", {})]
    assert story["state"] == "success"
    assert rows(path, "SELECT try_number, outcome FROM attempts ORDER BY 1") == [(1, "interrupted"), (2, "succeeded")]


async def test_a_retry_is_not_used_up_by_the_end_of_the_process(tmp_path: Path) -> None:
    path, bell = tmp_path / "flowlet.db", Bell()
    async with Engine(path, dags=[deferring(lambda: bell, retries=1)], durability="process", control=False) as engine:
        run_id = (await engine.trigger("deferring")).run_id
        await bell.heard.wait()
    triggers = [Now(ValueError()), Now(TriggerEvent())]
    clock = VirtualClock(auto=True)
    again = deferring(lambda: triggers.pop(0), retries=1)
    async with Engine(path, dags=[again], durability="process", control=False, clock=clock) as engine:
        story = (await (await engine.run("deferring", run_id)).wait()).as_dict()
    assert (story["state"], story["tries"]["wait"]) == ("success", 3)


async def test_a_trigger_that_does_not_let_itself_be_stopped_does_not_hold_the_engine() -> None:
    heard = asyncio.Event()

    class Stubborn(BaseTrigger):
        async def run(self) -> AsyncIterator[TriggerEvent]:
            heard.set()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
            yield TriggerEvent()

    async with Engine(dags=[deferring(Stubborn)]) as engine:
        engine._triggerer._patience = 0.01
        await engine.trigger("deferring")
        await heard.wait()
    assert engine._triggerer.count == 0


async def test_a_dag_that_is_registered_again_meanwhile_goes_on_with_its_code_of_today() -> None:
    class Newer(Defers):
        def go_on(self, context: Any, event: Any, **_: Any) -> Any:
            return f"newer {event}"

    bell = Bell()
    with DAG("deferring") as newer:
        Newer(task_id="wait", trigger=lambda: bell)
    async with Engine(dags=[deferring(lambda: bell)]) as engine:
        run = await engine.trigger("deferring")
        await bell.heard.wait()
        await engine.add(newer)
        bell.rung.set()
        story = (await run.wait()).as_dict()
    assert story["xcoms"]["wait:return_value"] == "newer rang"


async def test_a_task_that_the_dag_has_no_more_stops_waiting() -> None:
    bell = Bell()
    with DAG("deferring") as without:
        PythonOperator(task_id="other", python_callable=int)
    async with Engine(dags=[deferring(lambda: bell)]) as engine:
        await engine.trigger("deferring")
        await bell.heard.wait()
        await engine.add(without)
        await bell.ended.wait()
    assert bell.cancelled


# -- sensors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "state"), [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")])
def test_a_sensor_that_defers_times_out_as_a_sensor_does(how: dict[str, Any], state: str) -> None:
    class Waits(BaseSensorOperator):
        def execute(self, context: Any) -> None:
            self.defer(trigger=TimeDeltaTrigger(2 * HOUR), method_name="go_on", timeout=HOUR)

    with DAG("deferring") as dag:
        Waits(task_id="wait", retries=2, **how)
    story = told(dag)
    assert (story["tasks"]["wait"], story["tries"]["wait"]) == (state, 1)
