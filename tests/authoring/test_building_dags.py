"""Describing DAGs: `with`, `@dag`, default_args, dates, ids, TaskFlow without running anything."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowlet import (
    DAG,
    BaseOperator,
    BashOperator,
    DagError,
    EmptyOperator,
    Param,
    PythonOperator,
    XComArg,
    dag,
    task,
)
from flowlet.authoring.registering import collect_dags
from flowlet.authoring.spec import DagSpec
from flowlet.errors import TaskNotFound

BERLIN = ZoneInfo("Europe/Berlin")
JULY = datetime(2024, 7, 1)  # noqa: DTZ001  naive on purpose


# -- where a task goes -----------------------------------------------------------------------------------


def test_a_task_joins_the_dag_whose_block_is_open_or_the_one_it_is_given() -> None:
    with DAG("outer") as outer:
        inside = EmptyOperator(task_id="inside")
        with DAG("inner") as inner:
            EmptyOperator(task_id="in_inner")
            EmptyOperator(task_id="back", dag=outer)
        EmptyOperator(task_id="after")
    given = EmptyOperator(task_id="given", dag=inner)
    assert outer.task_ids == ["inside", "back", "after"]
    assert inner.task_ids == ["in_inner", "given"]
    assert (inside.dag, given.dag) == (outer, inner)


def test_a_task_without_a_dag_joins_by_an_edge_or_by_being_given() -> None:
    with DAG("d") as d:
        first = EmptyOperator(task_id="first")
    second, third = EmptyOperator(task_id="second"), EmptyOperator(task_id="third")
    first >> second
    third.dag = d
    assert d.task_ids == ["first", "second", "third"]
    lonely = EmptyOperator(task_id="lonely")
    assert not lonely.has_dag()
    with pytest.raises(DagError, match=r"task 'lonely': is in no DAG.*test_building_dags\.py:\d+"):
        lonely.dag  # noqa: B018  the look-up is the test


def test_a_dag_that_failed_to_be_described_leaves_no_block_open() -> None:
    with pytest.raises(ZeroDivisionError), DAG("broken"):
        1 / 0  # noqa: B018  it is to raise
    assert not EmptyOperator(task_id="free").has_dag()


def test_dags_of_a_file_are_found_when_their_blocks_end() -> None:
    @dag
    def called() -> None:
        EmptyOperator(task_id="a")

    @dag
    def not_called() -> None: ...

    with collect_dags() as found:
        with DAG("in_block"):
            pass
        with DAG("hidden", auto_register=False):
            pass
        called()
    assert [one.dag_id for one in found] == ["in_block", "called"]


def test_a_task_is_found_by_its_id_and_a_wrong_id_is_answered_with_the_nearest() -> None:
    with DAG("d") as d:
        load = EmptyOperator(task_id="load_customers")
    assert d.get_task("load_customers") is load
    with pytest.raises(TaskNotFound, match=r"no task 'load_custmers' \(did you mean 'load_customers'\?\)"):
        d.get_task("load_custmers")


# -- default_args ----------------------------------------------------------------------------------------


def test_default_args_reach_every_parameter_up_to_the_subclass_own() -> None:
    class Loading(BaseOperator):
        def __init__(self, *, table: str, batch: int = 10, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.table, self.batch = table, batch

    defaults = {"owner": "ann", "retries": 2, "table": "t", "batch": 5, "bash_command": "true", "unused": 1}
    with DAG("d", default_args=defaults):
        one = Loading(task_id="one")
        two = Loading(task_id="two", table="own", retries=0)
        shell = BashOperator(task_id="shell")  # default_args give the command
    assert (one.owner, one.retries, one.table, one.batch) == ("ann", 2, "t", 5)
    assert (two.owner, two.retries, two.table) == ("ann", 0, "own")
    assert shell.bash_command == "true"


def test_a_tasks_own_default_args_stand_above_the_dags() -> None:
    with DAG("d", default_args={"retries": 2, "owner": "ann"}):
        one = EmptyOperator(task_id="one", default_args={"retries": 5})
    assert (one.retries, one.owner) == (5, "ann")


def test_default_args_are_copied() -> None:
    defaults = {"retries": 1}
    with DAG("d", default_args=defaults) as d:
        defaults["retries"] = 9
        assert EmptyOperator(task_id="one").retries == 1
    assert "start_date" not in d.default_args


def test_dates_of_default_args_are_the_dags_too() -> None:
    with DAG("d", default_args={"start_date": datetime(2024, 1, 1, tzinfo=BERLIN)}) as d:
        one = EmptyOperator(task_id="one")
    assert d.start_date == one.start_date == datetime(2024, 1, 1, tzinfo=BERLIN)
    assert d.timezone_name == "Europe/Berlin"


def test_default_args_work_with_operators_of_several_init_levels_once_each() -> None:
    calls: list[str] = []

    class Base(BaseOperator):
        def __init__(self, *, a: int = 0, **kwargs: Any) -> None:
            calls.append("base")
            super().__init__(**kwargs)
            self.a = a

    class Derived(Base):
        def __init__(self, *, b: int = 0, **kwargs: Any) -> None:
            calls.append("derived")
            super().__init__(**kwargs)
            self.b = b

    with DAG("d", default_args={"a": 1, "b": 2}):
        one = Derived(task_id="one")
    assert (one.a, one.b, calls) == (1, 2, ["derived", "base"])


# -- dates and zones -------------------------------------------------------------------------------------


def test_a_naive_date_is_read_in_the_default_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DAG("d", start_date=JULY).start_date == datetime(2024, 7, 1, tzinfo=UTC)
    monkeypatch.setenv("FLOWLET__CORE__DEFAULT_TIMEZONE", "Europe/Berlin")
    assert DAG("d", start_date=JULY).start_date == datetime(2024, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        (datetime(2024, 7, 1, tzinfo=UTC), "UTC"),
        (datetime(2024, 7, 1, tzinfo=BERLIN), "Europe/Berlin"),
        (datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))), "-03:30"),
        (JULY, "UTC"),
        ("2024-07-01", "UTC"),
        ("2024-07-01T00:00:00+02:00", "+02:00"),
        (None, "UTC"),
    ],
)
def test_the_zone_of_the_start_date_is_the_dags(start: Any, zone: str) -> None:
    assert DAG("d", start_date=start).timezone_name == zone


def test_a_naive_end_date_is_read_in_the_zone_of_the_start_date() -> None:
    d = DAG("d", start_date=datetime(2024, 7, 1, tzinfo=BERLIN), end_date=JULY + timedelta(days=1))
    assert d.end_date == datetime(2024, 7, 1, 22, tzinfo=UTC)


# -- what it becomes -------------------------------------------------------------------------------------


def big() -> DAG:
    with DAG(
        "big", schedule="0 6 * * *", start_date=datetime(2024, 1, 1, tzinfo=BERLIN), catchup=True, max_active_runs=3,
        dagrun_timeout=timedelta(hours=2), tags=["b", "a"], description="d", doc_md="# doc", params={"x": Param(1)},
    ) as d:  # fmt: skip
        one = PythonOperator(
            task_id="one", python_callable=print, retries=3, retry_delay=60, retry_exponential_backoff=True, pool="p",
            owner="ann",
        )  # fmt: skip
        two = BashOperator(task_id="two", bash_command="true", trigger_rule="all_done", execution_timeout=timedelta(1))
        one >> two
    return d


def test_a_spec_tells_what_was_said_and_nothing_of_the_rest() -> None:
    spec = big().spec
    assert (spec.dag_id, spec.catchup, spec.max_active_runs, spec.tags) == ("big", True, 3, ("a", "b"))
    assert (spec.dagrun_timeout, spec.params, spec.description) == (7_200_000_000, {"x": 1}, "d")
    one, two = spec.tasks
    assert one.retry_multiplier == 2.0
    assert (one.retries, one.retry_delay, one.pool, one.owner) == (3, 60_000_000, "p", "ann")
    assert (two.trigger_rule, two.execution_timeout) == ("all_done", 86_400_000_000)
    assert (one.downstream, two.upstream, one.operator) == ((1,), (0,), "PythonOperator")
    assert spec.file == __file__
    assert "retry_multiplier" not in DagSpec(dag_id="d", tasks=(two,)).to_json()


def test_a_spec_survives_json_and_pickle() -> None:
    spec = big().spec
    for copy in (DagSpec.from_json(spec.to_json()), pickle.loads(pickle.dumps(spec))):
        assert copy.to_json() == spec.to_json()
        assert copy.hash == spec.hash
        assert [task.downstream for task in copy.tasks] == [task.downstream for task in spec.tasks]


def test_the_same_file_gives_the_same_hash_and_any_change_another() -> None:
    first = big()
    assert big().spec.hash == first.spec.hash
    before = first.spec.hash
    first.get_task("two") >> EmptyOperator(task_id="three", dag=first)
    assert first.spec.hash != before
    again = first.spec.hash
    first.max_active_runs = 4
    assert first.spec.hash != again


def test_what_is_said_of_a_task_later_counts() -> None:
    dag = big()
    before = dag.spec
    dag.get_task("one").retries = 7
    assert dag.spec.by_id["one"].retries == 7
    assert dag.spec.hash != before.hash


def test_what_an_attempt_writes_on_its_operator_does_not() -> None:
    class Writing(BaseOperator):
        template_fields = ("field",)
        field: Any = None

        def execute(self, context: Any) -> None:
            self.retries = 5
            self.field = [self.output]

    with DAG("d") as dag:
        Writing(task_id="one", retries=1)
    before = dag.spec
    assert dag.test().state == "success"
    assert dag.spec is before


def test_an_operator_that_fails_to_be_made_leaves_nothing_behind() -> None:
    class Half(BaseOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            raise ValueError("half")

    with DAG("d") as dag:
        with pytest.raises(ValueError, match="half"):
            Half(task_id="one")
        dag.get_task("one").retries = 2
    assert dag.spec.by_id["one"].retries == 2


def test_xcom_args_spell_the_template_that_pulls_them() -> None:
    with DAG("d"):
        one = EmptyOperator(task_id="one")
    assert str(one.output) == "{{ task_instance.xcom_pull(task_ids='one', dag_id='d') }}"
    assert str(one.output["k"]) == "{{ task_instance.xcom_pull(task_ids='one', dag_id='d', key='k') }}"


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (list, "cannot be iterated over"),
        (lambda x: x[0], "string keys only, not 0"),
    ],
)
def test_a_value_that_does_not_exist_yet_says_so(misuse: Any, words: str) -> None:
    with DAG("d"):
        output = XComArg(EmptyOperator(task_id="one"))
    with pytest.raises(DagError, match=r"test_building_dags\.py:\d+") as caught:
        misuse(output)
    assert words in str(caught.value)


def test_an_instance_holds_only_what_differs() -> None:
    with DAG("d"):
        one = PythonOperator(task_id="one", python_callable=print, retries=0, pool="default_pool", owner="airflow")
    assert vars(one).keys() == {"task_id", "python_callable", "_dag", "_group", "_site"}


# -- describing is all it does ---------------------------------------------------------------------------

PURE = """
import os, sys, threading
from datetime import UTC, datetime, timedelta
from flowlet import *
from zoneinfo import ZoneInfo

def never(*args, **kwargs):
    raise AssertionError("it ran")

def build():
    @task
    def one(): never()
    @task.branch(retries=3)
    async def choose(): never()
    @task.sensor(poke_interval=5)
    def see(): never()
    @task.bash
    def shell(x): never()
    @task_group
    def group(x):
        PythonOperator(task_id="p", python_callable=never, op_args=[x, "{{ ds }}"], on_failure_callback=never)
        BashOperator(task_id="b", bash_command="/does/not/exist.sh", cwd="/nowhere")
    start = datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    for number, schedule in enumerate(["0 6 * * *", "@daily", timedelta(hours=1), "@once", None, "*/5 * * * * *"]):
        with DAG(f"d{number}", schedule=schedule, start_date=start, params={"x": 1},
                 template_searchpath="/nowhere") as dag:
            x = one()
            choose() >> [group(x), see()] >> shell(x)
        dag.spec.to_json(); dag.topological_sort()

build()                     # modules and the zone are read once
disk = []
sys.addaudithook(lambda event, args: disk.append((event, args)) if event.split(".")[0] in
    ("open", "os", "subprocess", "socket", "sqlite3", "shutil", "tempfile", "glob", "import", "pathlib") else None)
for name in ("stat", "lstat", "access", "getcwd"):  # of these the interpreter tells no hook
    setattr(os, name, lambda *args, name=name, **kwargs: disk.append((name, args)))
build()
seen = list(disk)
assert not seen, seen[:5]
assert threading.active_count() == 1
print("pure")
"""


def test_building_runs_nothing_and_touches_no_disk() -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PURE)], capture_output=True, text=True, cwd=root, check=False
    )
    assert (done.stdout, done.stderr) == ("pure\n", "")


def test_calling_a_task_function_does_not_call_the_function() -> None:
    with DAG("d"):

        @task
        def body() -> None:
            raise AssertionError("it ran")

        body()
