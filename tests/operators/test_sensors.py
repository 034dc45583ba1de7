"""Sensors through the whole engine on a virtual clock: when they look, and how they end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flowlet import (
    DAG,
    BaseSensorOperator,
    DagError,
    FailTask,
    PokeReturnValue,
    PythonOperator,
    PythonSensor,
    SkipTask,
    XComArg,
    task,
)
from flowlet.errors import SensorTimeout, TaskTimeout
from flowlet.operators.sensor import WEEK
from flowlet.testing import VirtualClock

Run = Callable[..., Any]
SECOND = 1_000_000


class Looks:
    """A callable for a sensor that sees it at its n-th look (None: never), and notes when it looked."""

    def __init__(self, seen_at: int | None = None, error: Exception | None = None) -> None:
        self.clock = VirtualClock(0, auto=True)
        self.at: list[float] = []
        self.seen_at = seen_at
        self.error = error

    def __call__(self) -> bool:
        self.at.append(self.clock.now() / SECOND)
        if self.error is not None and len(self.at) == 1:
            raise self.error
        return len(self.at) == self.seen_at

    async def on_loop(self) -> bool:
        return self()

    def sensor(self, run: Run, *, on_loop: bool = False, **arguments: Any) -> Any:
        """Run a DAG of this sensor alone; gives what the run came to."""
        with DAG("waiting") as dag:
            PythonSensor(task_id="wait", python_callable=self.on_loop if on_loop else self, **arguments)
        told = run(dag, clock=self.clock)
        start = self.at[0]
        self.at = [moment - start for moment in self.at]
        return told


MODES = pytest.mark.parametrize("mode", ["poke", "reschedule"])
KINDS = pytest.mark.parametrize("on_loop", [False, True], ids=["def", "async def"])


# -- when it looks ---------------------------------------------------------------------------------------


@MODES
@KINDS
def test_it_looks_at_once_and_then_every_poke_interval(run: Run, mode: str, on_loop: bool) -> None:
    looks = Looks(seen_at=4)
    told = looks.sensor(run, mode=mode, poke_interval=45, on_loop=on_loop)
    assert looks.at == [0, 45, 90, 135]
    assert (told.tasks["wait"], told.tries["wait"]) == ("success", 1)


@MODES
@KINDS
def test_a_timeout_is_noticed_when_it_is_due_after_one_last_look(run: Run, mode: str, on_loop: bool) -> None:
    """Airflow notices it after the next full poke interval."""
    looks = Looks()
    told = looks.sensor(run, mode=mode, timeout=150, retries=3, on_loop=on_loop)
    assert looks.at == [0, 60, 120, 150]
    assert (told.tasks["wait"], told.tries["wait"]) == ("failed", 1)
    assert told.errors["wait"] == ["SensorTimeout"]
    assert told.reasons["wait"].endswith("did not see what it waits for within 150 s")


@MODES
def test_what_the_last_look_sees_counts(run: Run, mode: str) -> None:
    looks = Looks(seen_at=2)
    assert looks.sensor(run, mode=mode, timeout=10).tasks["wait"] == "success"
    assert looks.at == [0, 10]


@MODES
def test_a_timeout_of_nothing_is_one_look(run: Run, mode: str) -> None:
    looks = Looks()
    assert looks.sensor(run, mode=mode, timeout=0).errors["wait"] == ["SensorTimeout"]
    assert looks.at == [0]


def test_a_sensor_without_a_pause_lets_time_go_by(run: Run) -> None:
    looks = Looks()
    assert looks.sensor(run, poke_interval=0, timeout=0.005).errors["wait"] == ["SensorTimeout"]
    assert 2 <= len(looks.at) <= 6


def test_durations_may_be_timedeltas(run: Run) -> None:
    looks = Looks()
    looks.sensor(run, poke_interval=timedelta(minutes=2), timeout=timedelta(minutes=5))
    assert looks.at == [0, 120, 240, 300]


@MODES
def test_a_retry_waits_anew_from_its_own_start(run: Run, mode: str) -> None:
    looks = Looks(seen_at=4, error=ConnectionError("no"))
    told = looks.sensor(run, mode=mode, timeout=100, retries=1, retry_delay=timedelta(seconds=1000))
    assert looks.at == [0, 1000, 1060, 1100]
    assert (told.tasks["wait"], told.tries["wait"]) == ("success", 2)


@MODES
def test_backed_off_waits_double_and_carry_a_jitter_that_repeats_itself(run: Run, mode: str) -> None:
    """Airflow: at least interval * 2**(looks - 2), at most twice that."""
    waits = []
    for _ in range(2):
        looks = Looks(seen_at=7)
        looks.sensor(run, mode=mode, poke_interval=100, exponential_backoff=True)
        waits.append([after - before for before, after in zip(looks.at, looks.at[1:], strict=False)])
    least = [50, 100, 200, 400, 800, 1600]
    assert all(low <= wait < 2 * low for low, wait in zip(least, waits[0], strict=True))
    assert waits[0] == waits[1]
    assert waits[0] != least


@MODES
def test_backed_off_waits_stop_at_max_wait(run: Run, mode: str) -> None:
    looks = Looks(seen_at=8)
    looks.sensor(run, mode=mode, poke_interval=100, exponential_backoff=True, max_wait=timedelta(seconds=300))
    assert max(after - before for before, after in zip(looks.at, looks.at[1:], strict=False)) == 300


def test_backed_off_waits_end_at_the_timeout(run: Run) -> None:
    looks = Looks()
    looks.sensor(run, poke_interval=3600, exponential_backoff=True, timeout=40_000)
    assert looks.at[-1] == 40_000


# -- what becomes of an error of a look ------------------------------------------------------------------

ERRORS = {
    "ValueError": ValueError("x"),
    "FailTask": FailTask("x"),
    "SkipTask": SkipTask("x"),
    "SensorTimeout": SensorTimeout("x"),
    "TaskTimeout": TaskTimeout("x"),
}
#: What Airflow 3.3.2 does (sdk/bases/sensor.py, run for this table). "retried" ends as failed here.
RULES: dict[tuple[str, ...], tuple[str, ...]] = {
    # flags:                       ValueError  FailTask   SkipTask   SensorTimeout TaskTimeout
    (): ("retried", "failed", "skipped", "failed", "retried"),
    ("soft_fail",): ("retried", "skipped", "skipped", "skipped", "skipped"),
    ("never_fail",): ("skipped", "skipped", "skipped", "skipped", "skipped"),
    ("silent_fail",): ("again", "failed", "skipped", "failed", "retried"),
    ("silent_fail", "soft_fail"): ("again", "skipped", "skipped", "skipped", "skipped"),
    ("silent_fail", "never_fail"): ("again", "skipped", "skipped", "skipped", "skipped"),
}
CASES = [(flags, name, end) for flags, row in RULES.items() for name, end in zip(ERRORS, row, strict=True)]


@KINDS
@pytest.mark.parametrize(("flags", "error", "end"), CASES)
def test_an_error_of_a_look_ends_as_in_airflow(
    run: Run, flags: tuple[str, ...], error: str, end: str, on_loop: bool
) -> None:
    looks = Looks(seen_at=2, error=ERRORS[error])
    told = looks.sensor(run, retries=1, retry_delay=5, on_loop=on_loop, **dict.fromkeys(flags, True))
    expected = {
        "retried": ("success", 2, [0, 5]),
        "again": ("success", 1, [0, 60]),
        "failed": ("failed", 1, [0]),
        "skipped": ("skipped", 1, [0]),
    }[end]
    assert (told.tasks["wait"], told.tries["wait"], looks.at) == expected


@MODES
@pytest.mark.parametrize(
    ("flag", "state"), [("soft_fail", "skipped"), ("never_fail", "failed"), ("silent_fail", "failed")]
)
def test_of_a_timeout_only_soft_fail_makes_a_skip(run: Run, mode: str, flag: str, state: str) -> None:
    looks = Looks()
    assert looks.sensor(run, mode=mode, timeout=10, **{flag: True}).tasks["wait"] == state


@pytest.mark.parametrize(
    ("flags", "state", "tries"),
    [({}, "failed", 2), ({"soft_fail": True}, "skipped", 1), ({"never_fail": True}, "skipped", 1)],
)
def test_an_execution_timeout_between_two_looks_is_one_of_a_look(
    run: Run, flags: dict[str, bool], state: str, tries: int
) -> None:
    looks = Looks()
    told = looks.sensor(run, execution_timeout=timedelta(seconds=90), retries=1, retry_delay=0, **flags)
    assert looks.at[:2] == [0, 60]
    assert (told.tasks["wait"], told.tries["wait"]) == (state, tries)


def test_what_fails_beside_a_look_is_nothing_that_may_be_skipped(run: Run) -> None:
    """The flags of a sensor are about its poke, not about its templates and hooks."""
    with DAG("beside") as dag:
        PythonSensor(task_id="template", python_callable=lambda: True, op_args=["{{ unknown }}"], soft_fail=True)
        PythonSensor(task_id="hook", python_callable=lambda: True, pre_execute=lambda _: 1 / 0, never_fail=True)
    assert run(dag).tasks == {"template": "failed", "hook": "failed"}


def test_a_silent_error_is_in_the_log_and_a_skip_says_by_which_argument(run: Run) -> None:
    with DAG("said") as dag:
        PythonSensor(task_id="silent", python_callable=Looks(2, ValueError("quiet")), silent_fail=True)
        PythonSensor(task_id="never", python_callable=Looks(2, ValueError("loud")), never_fail=True)
    told = run(dag, logs=True)
    assert "ValueError: quiet" in told.log("silent")
    assert told.reasons["never"] == "never_fail: ValueError: loud"


# -- its value -------------------------------------------------------------------------------------------


def test_a_poke_may_bring_a_value_when_it_is_done(run: Run) -> None:
    answers = [PokeReturnValue(False, "early"), PokeReturnValue(True, {"found": 1})]
    with DAG("value") as dag:
        PythonSensor(task_id="wait", python_callable=lambda: answers.pop(0))
        PythonSensor(task_id="plain", python_callable=lambda: "something true")
        PythonSensor(
            task_id="kept_back", python_callable=lambda: PokeReturnValue(True, 1), do_xcom_push=False
        )
    told = run(dag)
    assert told.xcom("wait") == {"found": 1}
    assert (told.pushed("plain"), told.pushed("kept_back")) == (set(), set())


def test_a_callable_gets_arguments_and_context_as_a_python_operators_does(run: Run) -> None:
    seen: list[Any] = []

    def look(a: str, *, b: str, ds: str, templates_dict: dict[str, str], **context: Any) -> bool:
        seen.append([a, b, ds, templates_dict, context["ti"].task_id])
        return len(seen) > 1

    with DAG("args") as dag:
        PythonSensor(
            task_id="wait", python_callable=look, op_args=["{{ ds_nodash }}"], op_kwargs={"b": "{{ ts }}"},
            templates_dict={"t": "{{ task.task_id }}"},
        )  # fmt: skip
    run(dag)
    assert seen == [["20260101", "2026-01-01T00:00:00+00:00", "2026-01-01", {"t": "wait"}, "wait"]] * 2


@pytest.mark.parametrize("kind", ["partial", "lambda of async", "method"])
def test_any_callable_can_be_looked_with(run: Run, kind: str) -> None:
    looks = Looks(seen_at=2)
    callables = {
        "partial": functools.partial(looks.on_loop),
        "lambda of async": lambda ds: looks.on_loop(),
        "method": looks.__call__,
    }
    with DAG("kinds") as dag:
        PythonSensor(task_id="wait", python_callable=callables[kind])
    assert run(dag, clock=looks.clock).tasks["wait"] == "success"
    assert len(looks.at) == 2


def test_errors_of_a_coroutine_from_a_plain_callable_follow_the_same_rules(run: Run) -> None:
    looks = Looks(seen_at=2, error=ValueError("x"))
    with DAG("rules") as dag:
        PythonSensor(task_id="wait", python_callable=lambda ds: looks.on_loop(), silent_fail=True)
    assert run(dag, clock=looks.clock).tasks["wait"] == "success"


# -- as a function, as a class ---------------------------------------------------------------------------


def test_a_function_is_a_sensor(run: Run) -> None:
    looked: list[Any] = []
    with DAG("function") as dag:

        @task
        def number() -> int:
            return 3

        @task.sensor(poke_interval=1, mode="reschedule", timeout=60)
        def enough(wanted: int, ds: str) -> PokeReturnValue:
            looked.append(ds)
            return PokeReturnValue(len(looked) == wanted, xcom_value=len(looked))

        @task.sensor
        async def at_once() -> bool:
            return True

        @task
        def double(x: int) -> int:
            return 2 * x

        waited: XComArg = enough(number())
        double(waited)
        waited >> at_once()
    told = run(dag)
    assert told.tasks == {"number": "success", "enough": "success", "double": "success", "at_once": "success"}
    assert (told.xcom("double"), looked) == (6, ["2026-01-01"] * 3)
    assert dag.spec.by_id["enough"].sensor == "reschedule"
    assert dag.spec.by_id["at_once"].operator == "@task.sensor"


class Counting(BaseSensorOperator):
    """A sensor that keeps its count on itself, which poke mode keeps from look to look."""

    def __init__(self, *, wanted: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wanted, self.count = wanted, 0

    def poke(self, context: Any) -> bool:
        self.count += 1
        return self.count == self.wanted


class CountingOnLoop(Counting):
    async def poke(self, context: Any) -> bool:
        return super().poke(context)


@pytest.mark.parametrize("cls", [Counting, CountingOnLoop])
def test_a_class_defines_poke_and_is_the_same_copy_from_look_to_look(run: Run, cls: type[Counting]) -> None:
    with DAG("class") as dag:
        sensor = cls(task_id="wait", wanted=3)
    assert run(dag).tasks["wait"] == "success"
    assert sensor.count == 0
    assert sensor.is_async is (cls is CountingOnLoop)


@MODES
@pytest.mark.parametrize("cls", [Looks.__call__, Looks.on_loop], ids=["def", "async def"])
def test_a_subclass_may_do_more_around_a_look(run: Run, mode: str, cls: Any) -> None:
    looks = Looks(seen_at=3)
    calls: list[str] = []

    class Around(PythonSensor):
        def execute(self, context: Any) -> Any:
            calls.append("before")
            super().execute(context)
            calls.append("after")
            return "its own value"

    with DAG("around") as dag:
        Around(task_id="wait", python_callable=functools.partial(cls, looks), mode=mode)
    told = run(dag, clock=looks.clock)
    assert told.xcom("wait") == "its own value"
    assert calls == ["before"] * 3 + ["after"]
    assert [moment - looks.at[0] for moment in looks.at] == [0, 60, 120]


def test_hooks_and_callbacks_surround_all_looks_of_a_try(run: Run) -> None:
    seen: list[Any] = []
    with DAG("hooks") as dag:
        PythonSensor(
            task_id="wait",
            python_callable=Looks(seen_at=3),
            pre_execute=lambda _: seen.append("pre"),
            post_execute=lambda _, result: seen.append("post"),
            on_execute_callback=lambda _: seen.append("execute"),
            on_success_callback=lambda _: seen.append("success"),
        )
    run(dag)
    assert seen == ["execute", "pre", "post", "success"]


def test_a_sensor_without_poke_says_so(run: Run) -> None:
    with DAG("none") as dag:
        BaseSensorOperator(task_id="wait", silent_fail=False)
    assert "defines no poke()" in run(dag).reasons["wait"]


def test_what_comes_after_a_sensor_waits_for_it(run: Run) -> None:
    looks = Looks(seen_at=3)
    after: list[float] = []
    with DAG("order") as dag:
        wait = PythonSensor(task_id="wait", python_callable=looks)
        wait >> PythonOperator(task_id="after", python_callable=lambda: after.append(looks.clock.now() / SECOND))
    run(dag, clock=looks.clock)
    assert after == [looks.at[-1]]


# -- building --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "sometimes"}, "mode must be one of 'poke', 'reschedule', not 'sometimes'"),
        ({"soft_fail": True, "never_fail": True}, "exclude each other"),
        ({"poke_interval": -1}, "poke_interval must be seconds or a timedelta, and not negative: -1"),
        ({"timeout": timedelta(seconds=-1)}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"poke_interval": "60"}, "poke_interval must be"),
        ({"poke_interval": True}, "poke_interval must be"),
        ({"max_wait": -5}, "max_wait must be"),
        ({"python_callable": 5}, "python_callable must be callable, not 5"),
    ],
)
def test_wrong_arguments_are_refused_where_they_are_written(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(DagError, match=r"task 'wait' of DAG 'd': .*test_sensors\.py:\d+\)") as caught, DAG("d"):
        PythonSensor(task_id="wait", **{"python_callable": print, **arguments})
    assert words in str(caught.value)


def test_the_defaults_are_airflows_and_cost_nothing() -> None:
    with DAG("d"):
        sensor = PythonSensor(task_id="wait", python_callable=print)
    assert (sensor.poke_interval, sensor.timeout, sensor.mode) == (60.0, WEEK, "poke")
    assert not {"poke_interval", "timeout", "mode", "soft_fail", "max_wait"} & vars(sensor).keys()


def test_the_longest_timeout_of_all_is_a_timeout(run: Run) -> None:
    looks = Looks(seen_at=2)
    assert looks.sensor(run, timeout=timedelta.max).tasks["wait"] == "success"


def test_the_default_timeout_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__SENSORS__DEFAULT_TIMEOUT", "90")
    with DAG("d"):
        assert PythonSensor(task_id="wait", python_callable=print).timeout == 90


def test_a_class_may_allow_one_mode_only() -> None:
    class Steady(BaseSensorOperator):
        valid_modes = ("poke",)

    with pytest.raises(DagError, match="mode must be one of 'poke', not 'reschedule'"), DAG("d"):
        Steady(task_id="wait", mode="reschedule")
