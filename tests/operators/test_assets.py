"""Assets: what tasks write and read, as far as one run shows it, and schedules that name them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlet import DAG, BashOperator, CronTriggerTimetable, DagError, Engine, PythonOperator, task
from flowlet.authoring.assets import (
    Asset,
    AssetAlias,
    AssetAll,
    AssetAny,
    AssetRef,
    AssetWatcher,
    Dataset,
    Metadata,
    Model,
)
from flowlet.clock import VirtualClock
from flowlet.operators.asset_decorator import asset
from flowlet.operators.triggers import DirectoryFileDeleteTrigger, FileDeleteTrigger, FileTrigger
from flowlet.timetables import timetable_from_spec
from flowlet.timetables.assets import AssetOrTimeSchedule

Run = Callable[..., Any]

ORDERS = Asset("orders", "s3://lake/orders")
by_assets = pytest.mark.filterwarnings("ignore:DAG .* is scheduled by assets")


def events(told: Any) -> list[tuple[str, str, Any]]:
    return [(event["uri"], event["task_id"], event["extra"]) for event in told.story["asset_events"]]


# -- what an asset is ------------------------------------------------------------------------------------


def test_a_name_or_a_uri_stands_for_both() -> None:
    assert Asset("s3://lake/x") == Asset(uri="s3://lake/x") == Asset("s3://lake/x", "s3://lake/x")
    assert Asset("x", "s3://lake/x") != Asset("s3://lake/x")
    assert len({ORDERS, Asset("orders", "s3://lake/orders", extra={"a": 1})}) == 1
    assert (Model("x").group, Dataset("x").group, Asset("x").group) == ("model", "dataset", "asset")
    for wrong in ({}, {"name": " "}, {"uri": "airflow://x"}, {"name": "x", "watchers": [object()]}):
        with pytest.raises(DagError):
            Asset(**wrong)


def test_conditions_nest() -> None:
    a, b, c = Asset("a"), Asset("b"), AssetAlias("c")
    one = a & b & c
    other = a | (b & c)
    assert (type(one), len(one.objects)) == (AssetAll, 3)
    assert (type(other), list(other.iter_assets())) == (AssetAny, [a, b, c])
    assert other.as_expression() == {
        "any": [
            {"asset": {"name": "a", "uri": "a"}},
            {"all": [{"asset": {"name": "b", "uri": "b"}}, {"alias": {"name": "c", "group": "asset"}}]},
        ]
    }
    with pytest.raises(DagError, match="a condition is made of assets"):
        AssetAll(a, "b")


def test_a_watcher_has_a_trigger_for_events() -> None:
    trigger = DirectoryFileDeleteTrigger(directory="flags", filename="us.flag")
    watched = Asset("x", watchers=[AssetWatcher(name="flags", trigger=trigger)])
    assert (watched.watchers[0].trigger, watched) == (trigger, Asset("x"))
    with pytest.raises(DagError, match="must be a BaseEventTrigger"):
        AssetWatcher(name="flags", trigger=FileTrigger("x"))


@pytest.mark.anyio
async def test_a_trigger_of_files_takes_the_file_that_it_waits_for(tmp_path: Path) -> None:
    (tmp_path / "us.flag").touch()
    (tmp_path / "eu.flag").touch()
    one = FileDeleteTrigger(str(tmp_path / "us.flag"))
    other = DirectoryFileDeleteTrigger(directory=str(tmp_path), filename="eu.flag")
    found = [event.payload for trigger in (one, other) async for event in trigger.run()]
    assert found == [True, {"filepath": str(tmp_path / "eu.flag")}]
    assert os.listdir(tmp_path) == []  # noqa: PTH208  names are all that is asked
    assert other.shared_stream_key() == DirectoryFileDeleteTrigger(directory=f"{tmp_path}/", filename="us.flag").shared_stream_key()


# -- events of a run -------------------------------------------------------------------------------------


def test_a_task_that_succeeds_leaves_an_event_of_each_outlet(run: Run) -> None:
    with DAG("writing") as dag:
        BashOperator(task_id="write", bash_command="true", outlets=[ORDERS, Asset("x")])
        BashOperator(task_id="fail", bash_command="exit 1", outlets=[ORDERS])
        BashOperator(task_id="skip", bash_command="exit 99", outlets=[ORDERS])
        PythonOperator(task_id="call", python_callable=lambda: None, outlets=[Asset("y")])
    assert events(run(dag)) == [("s3://lake/orders", "write", {}), ("x", "write", {}), ("y", "call", {})]


def test_a_retry_leaves_one_event(run: Run) -> None:
    with DAG("writing") as dag:

        @task(outlets=[ORDERS], retries=2)
        def write(ti: Any, outlet_events: Any) -> None:
            outlet_events[ORDERS].extra["try"] = ti.try_number
            if ti.try_number < 3:
                raise ValueError

        write()
    assert events(run(dag)) == [("s3://lake/orders", "write", {"try": 3})]


def test_extra_is_said_by_the_context_or_by_what_is_yielded(run: Run) -> None:
    with DAG("writing") as dag:

        @task(outlets=[ORDERS])
        def by_context(*, outlet_events: Any) -> None:
            outlet_events[ORDERS].extra = {"rows": 3}

        @task(outlets=[ORDERS, AssetAlias("later")])
        def by_yield() -> Any:
            yield Metadata(ORDERS, {"rows": 4})
            yield Metadata(Asset("y"), {"rows": 5}, alias="later")

        by_context() >> by_yield()
    assert events(run(dag)) == [
        ("s3://lake/orders", "by_context", {"rows": 3}),
        ("s3://lake/orders", "by_yield", {"rows": 4}),
        ("y", "by_yield", {"rows": 5}),
    ]


def test_extra_that_is_no_json_fails_the_task(run: Run) -> None:
    with DAG("writing") as dag:

        @task(outlets=[ORDERS])
        def write(*, outlet_events: Any) -> None:
            outlet_events[ORDERS].extra = {"rows": {1}}

        write()
    told = run(dag)
    assert (told.state, events(told)) == ("failed", [])
    assert "the extra of an event of Asset(name='orders'" in told.reasons["write"]


def test_an_alias_becomes_what_the_task_says(run: Run) -> None:
    alias = AssetAlias("daily")
    with DAG("writing") as dag:

        @task(outlets=[alias])
        def write(*, outlet_events: Any) -> None:
            outlet_events[alias].add(ORDERS, {"rows": 1})

        @task(outlets=[alias])
        def write_nothing() -> None:
            return None

        @task(inlets=[alias, ORDERS, Asset.ref(name="orders")])
        def read(*, inlet_events: Any, inlets: Any) -> list[Any]:
            return [inlet_events[inlet][-1].extra["rows"] for inlet in inlets]

        [write(), write_nothing()] >> read()
    told = run(dag)
    assert events(told) == [("s3://lake/orders", "write", {"rows": 1})]
    assert told.xcom("read") == [1, 1, 1]


def test_what_is_read_is_found_by_name_by_uri_and_by_place(run: Run) -> None:
    alias = AssetAlias("daily")
    with DAG("writing") as dag:

        @task(outlets=[ORDERS, alias])
        def write(ti: Any, *, outlet_events: Any) -> None:
            outlet_events.for_asset(name="orders", uri="s3://lake/orders").extra["by"] = ti.task_id
            outlet_events.for_asset_alias(name="daily").add(ORDERS, {"by": "alias"})
            with pytest.raises(TypeError, match="an alias has no partitions"):
                outlet_events[alias].add_partitions("x")

        @task(inlets=[ORDERS, alias])
        def read(*, inlet_events: Any) -> list[Any]:
            by_uri = inlet_events.for_asset(uri="s3://lake/orders")
            first = by_uri[0].timestamp
            with pytest.raises(KeyError):
                inlet_events[Asset("other")]
            with pytest.raises(TypeError):
                inlet_events["orders"]
            return [
                [event.extra["by"] for event in inlet_events.for_asset(name="orders")],
                [event.extra["by"] for event in inlet_events.for_asset_alias(name="daily")],
                [len(by_uri), len(inlet_events[0]), len(inlet_events), len(by_uri.limit(1))],
                [len(by_uri.after(first)), len(by_uri.before(first.isoformat())), len(by_uri.after("2999-01-01"))],
                [event.extra["by"] for event in by_uri.ascending(False)] != [],
            ]

        write() >> read()
    assert run(dag).xcom("read") == [["write", "alias"], ["alias"], [2, 2, 2, 1], [2, 2, 0], True]


def test_a_reference_among_the_outlets_is_the_asset_that_the_dag_names(run: Run) -> None:
    with DAG("writing") as dag:
        BashOperator(task_id="write", bash_command="true", outlets=[Asset.ref(uri="s3://lake/orders"), Asset.ref(name="new")])
        BashOperator(task_id="read", bash_command="true", inlets=[ORDERS])
        BashOperator(task_id="lost", bash_command="true", outlets=[Asset.ref(uri="s3://nowhere")])
    told = run(dag)
    assert events(told) == [("s3://lake/orders", "write", {}), ("new", "write", {})]
    assert told.tasks["lost"] == "failed"
    assert "no DAG here names an asset with the uri 's3://nowhere'" in told.reasons["lost"]


# -- schedules -------------------------------------------------------------------------------------------


def test_a_schedule_by_assets_says_that_nothing_makes_it_due() -> None:
    with pytest.warns(UserWarning, match="DAG 'reading' is scheduled by assets: this version of flowlet makes no runs"):
        DAG("reading", schedule=[ORDERS])


@by_assets
@pytest.mark.parametrize("schedule", [ORDERS, [ORDERS, Asset("x")], ORDERS | AssetAlias("y"), (ORDERS & Asset("x")) | Asset("z")])
def test_a_dag_that_is_scheduled_by_assets_is_run_by_hand(run: Run, schedule: Any) -> None:
    with DAG("reading", schedule=schedule) as dag:
        BashOperator(task_id="read", bash_command="true")
    assert run(dag).state == "success"
    timetable = timetable_from_spec(dag.timetable.to_spec())  # it has one
    assert timetable == dag.timetable
    assert timetable.next_after(0) is None


@by_assets
@pytest.mark.anyio
async def test_a_schedule_by_time_and_assets_runs_by_time() -> None:
    schedule = AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 1 * * *", timezone="UTC"), assets=[ORDERS])
    with DAG("both", schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        BashOperator(task_id="read", bash_command="true")
    assert timetable_from_spec(schedule.to_spec()) == schedule
    async with Engine(dags=[dag], clock=VirtualClock(datetime(2026, 1, 1, 12, tzinfo=UTC))) as engine:
        run = await engine.run("both", "scheduled__2026-01-01T01:00:00+00:00")
        assert (await run.wait()).state == "success"


# -- @asset ----------------------------------------------------------------------------------------------


def test_an_asset_function_is_a_dag_of_one_task(run: Run) -> None:
    from flowlet.authoring.registering import collect_dags

    with collect_dags() as dags:

        @asset(schedule=None, uri="s3://lake/raw")
        def raw() -> str:
            return "raw"

        @asset(schedule=None, name="clean")
        def cleaned(self: Any, context: Any, raw: Any, limit: int = 3) -> list[Any]:
            return [self.name, context["ds"], raw.name, limit, [ref.name for ref in context["inlets"]]]

        @asset.multi(schedule=None, outlets=[Asset("left"), Asset("right")])
        def halves() -> None:
            return None

    assert (raw, cleaned) == (Asset("raw", "s3://lake/raw"), Asset("clean"))
    assert [dag.dag_id for dag in dags] == ["raw", "clean", "halves"]
    assert events(run(dags[0])) == [("s3://lake/raw", "raw", {})]
    assert [uri for uri, _, _ in events(run(dags[2]))] == ["left", "right"]
    told = run(dags[1])
    assert events(told) == [("clean", "cleaned", {})]
    assert told.xcom("cleaned") == ["clean", "2026-01-01", "raw", 3, ["raw"]]


def test_a_reference_is_by_name_or_by_uri() -> None:
    assert AssetRef(uri="s3://lake/orders").names(ORDERS)
    assert not AssetRef(name="x").names(ORDERS)
    with pytest.raises(DagError, match="by its name or by its uri"):
        AssetRef()


def test_a_task_may_be_told_of_assets_later_and_be_made_by_its_dag(run: Run) -> None:
    dag = DAG("writing")

    @dag.task(retries=1)
    def write() -> None:
        return None

    @dag.task
    def more() -> None:
        return None

    written = write()
    more()
    written.operator.add_outlets([ORDERS])
    written.operator.add_inlets([Asset("x")])
    told = run(dag)
    assert (sorted(told.tasks), dag.get_task("write").retries) == (["more", "write"], 1)
    assert events(told) == [("s3://lake/orders", "write", {})]
    assert dag.get_task("write").inlets == [Asset("x")]


def test_an_asset_function_may_name_its_dag() -> None:
    from flowlet.authoring.registering import collect_dags

    with collect_dags() as dags:

        @asset(schedule=None, dag_id="nightly", tags=["lake"])
        def raw() -> None:
            return None

    assert [(dag.dag_id, dag.tags, raw.name) for dag in dags] == [("nightly", {"lake"}, "raw")]
