"""What Airflow's scheduler makes of mapped tasks and mapped groups: `airflow_mapped_rules.json` is made by this.

    python tests/runs/airflow_mapped_rules.py > tests/runs/airflow_mapped_rules.json

in an environment that has `apache-airflow==3.3.2`, with an empty database that `airflow db migrate` made. Each
shape is a small DAG in which one task for each trigger rule (`t_RULE`) stands in the same place; each case says
how the others end, and what has become of the tasks that nobody spoke of once the scheduler has nothing more
to decide (`DagRun.task_instance_scheduling_decisions`, again and again).

How tasks end is written `s=S:2 o=F a=[SF.]`: one after another, each with the letters of its instances (in
brackets where there are several); a number says how many items an instance returned. S success, F failed,
K skipped, U upstream_failed, X removed, `.` not finished. After each of them the scheduler decides; what has
ended by that keeps what it has become. Answers use the same letters, R is "may run", W "waits"; `~` stands before
the letter of a mapped task that has not become its instances.

Airflow leaves open in which order the rules of a task are asked (they are a set, whose order hangs on addresses);
here a trigger rule speaks before MappedTaskUpstreamDep, whose code expects that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations_with_replacement, product
from typing import Any

RULES = (
    "all_done", "all_done_min_one_success", "all_done_setup_success", "all_failed", "all_skipped", "all_success", "always",
    "none_failed", "none_failed_min_one_success", "none_skipped", "one_done", "one_failed", "one_success",
)  # fmt: skip
STATES = {"S": "success", "F": "failed", "K": "skipped", "U": "upstream_failed", "X": "removed"}
LETTERS = {state: letter for letter, state in STATES.items()}
ANY = "SFKUX."


def nothing(*_: Any) -> int:
    """The body of every task; none is ever run."""
    return 1


class Maker:
    """Makes tasks out of a namespace of classes: Airflow's or ours."""

    def __init__(self, classes: Any) -> None:
        self.classes = classes
        self.in_group = False

    def plain(self, task_id: str, **more: Any) -> Any:
        return self.classes.PythonOperator(task_id=task_id, python_callable=nothing, **more)

    def mapped(self, task_id: str, over: Any = 2, **more: Any) -> Any:
        """A task mapped over so many items, or over what a task returns."""
        over = [[number] for number in range(over)] if isinstance(over, int) else over.output
        return self.classes.PythonOperator.partial(task_id=task_id, python_callable=nothing, **more).expand(op_args=over)

    def group(self, group_id: str, over: Any, fill: Callable[[], object]) -> Any:
        """A mapped group."""

        @self.classes.task_group(group_id=group_id, prefix_group_id=False)  # either's
        def inside(x: Any) -> None:
            self.in_group = True
            fill()
            self.in_group = False

        return inside.expand(x=list(range(over)) if isinstance(over, int) else over.output)

    def each(self, make: Callable[..., Any], *above: Any, **more: Any) -> list[Any]:
        """One task for each rule, after some others. Airflow has no `always` in a group that is mapped over a task."""
        rules = [rule for rule in RULES if rule != "always" or not self.in_group]
        made = [make(f"t_{rule}", trigger_rule=rule, **more) for rule in rules]
        for up in above:
            up >> made
        return made

    def plain_group(self, group_id: str) -> Any:
        return self.classes.TaskGroup(group_id=group_id, prefix_group_id=False)


# -- the shapes: how they are made, and the cases ---------------------------------------------------------


def several(letters: str, count: int) -> list[str]:
    """What so many instances may have become, in no order."""
    return ["".join(found) for found in combinations_with_replacement(letters, count)]


def in_order(letters: str, count: int) -> list[str]:
    return ["".join(found) for found in product(letters, repeat=count)]


def said(pattern: str, *choices: Iterable[str]) -> Iterator[str]:
    """Every combination, written into a pattern."""
    for chosen in product(*choices):
        yield pattern.format(*chosen)


SHAPES: dict[str, tuple[Callable[[Maker], object], Callable[[], Iterable[str]]]] = {}


def shape(name: str, cases: Callable[[], Iterable[str]]) -> Callable[[Callable[[Maker], object]], object]:
    def keep(make: Callable[[Maker], object]) -> object:
        SHAPES[name] = (make, cases)
        return make

    return keep


@shape("a task after a mapped task", lambda: said("m=[{}]", several(ANY, 3)))
def _(on: Maker) -> None:
    on.each(on.plain, on.mapped("m", 3))


@shape("a task after a mapped task and a plain one", lambda: said("m=[{}] o={}", several("SFK.", 2), "SFK."))
def _(on: Maker) -> None:
    on.each(on.plain, on.mapped("m"), on.plain("o"))


@shape("a mapped task after a mapped task and a plain one", lambda: said("m=[{}] o={}", several("SFK.", 2), "SFK."))
def _(on: Maker) -> None:
    on.each(on.mapped, on.mapped("m"), on.plain("o"))


@shape("mapped over a task, after another", lambda: said("s={} o={}", ("S:2", "S:0", *"FKU."), ANY))
def _(on: Maker) -> None:
    on.each(on.mapped, on.plain("o"), over=on.plain("s"))


@shape("mapped over two tasks", lambda: said("s={} o={}", ("S:2", "S:0", *"FKU."), ("S:1", *"FKU.")))
def _(on: Maker) -> None:
    first, second = on.plain("s"), on.plain("o")
    for rule in RULES:
        make = on.classes.PythonOperator.partial(task_id=f"t_{rule}", python_callable=nothing, trigger_rule=rule)
        make.expand(op_args=first.output, op_kwargs=second.output)


@shape("mapped over a mapped task", lambda: said("m=[{}]", several(ANY, 2)))
def _(on: Maker) -> None:
    on.each(on.mapped, over=on.mapped("m"))


@shape(
    "mapped over a task that is mapped over another",
    lambda: [*["s=.", "s=F", "s=K", "s=U", "s=S:0", "s=S:2"], *said("s=S:2 m=[{}]", several("SFKU.", 2))],
)
def _(on: Maker) -> None:
    on.each(on.mapped, over=on.mapped("m", on.plain("s")))


@shape("within a mapped group", lambda: said("a=[{}]", in_order(ANY, 2)))
def _(on: Maker) -> None:
    on.group("g", 2, lambda: on.each(on.plain, on.plain("a")))


@shape("within a mapped group, after two of it", lambda: said("a=[{}] b=[{}]", in_order("SFK.", 2), ("SS", "SF", "FK", "K.", "..")))
def _(on: Maker) -> None:
    on.group("g", 2, lambda: on.each(on.plain, on.plain("a"), on.plain("b")))


@shape("within a mapped group, and after a task outside", lambda: said("o={} a=[{}]", "SFK.", in_order("SFK.", 2)))
def _(on: Maker) -> None:
    outside = on.plain("o")
    on.group("g", 2, lambda: on.each(on.plain, on.plain("a"), outside))


@shape("within a mapped group, after a mapped task outside", lambda: said("m=[{}]", in_order("SFK.", 2)))
def _(on: Maker) -> None:
    outside = on.mapped("m")
    on.group("g", 2, lambda: on.each(on.plain, outside))


@shape("in a group within a mapped group", lambda: said("a=[{}]", in_order("SFK.", 2)))
def _(on: Maker) -> None:
    def fill() -> None:
        first = on.plain("a")
        with on.plain_group("inner"):
            on.each(on.plain, first)

    on.group("g", 2, fill)


ENDS_OF_A_SOURCE = ("s=.", "s=F", "s=K", "s=U", "s=S:0", "s=S:2")


@shape(
    "within a group that is mapped over a task",
    lambda: [*ENDS_OF_A_SOURCE, *said("s=S:2 a=[{}]", in_order("SFKU.", 2))],
)
def _(on: Maker) -> None:
    on.group("g", on.plain("s"), lambda: on.each(on.plain, on.plain("a")))


@shape("first in a group that is mapped over a task", lambda: said("s={} o={}", ("S:2", "S:0", *"FKU."), "SFK."))
def _(on: Maker) -> None:
    outside, source = on.plain("o"), on.plain("s")
    on.group("g", source, lambda: on.each(on.plain, outside))


@shape(
    "within a group that is mapped over a task, and after a task outside",
    lambda: [*said("{} o={}", ENDS_OF_A_SOURCE, "SFK."), *said("s=S:2 o={} a=[{}]", "SFK.", ("SS", "SF", "FK", "K.", ".."))],
)
def _(on: Maker) -> None:
    outside, source = on.plain("o"), on.plain("s")
    on.group("g", source, lambda: on.each(on.plain, on.plain("a"), outside))


@shape(
    "within a group that is mapped over a mapped task, and after that task too",
    lambda: said("m=[{}] a=[{}]", ("SS", "SK"), ("SS", "SF", "K.", "..")),
)
def _(on: Maker) -> None:
    source = on.mapped("m")
    on.group("g", source, lambda: on.each(on.plain, on.plain("a"), source))


@shape(
    "within a group that is mapped over a task, and after two that end together",
    lambda: said("s=S:2 x={} a=[{}]", "FK", ("SS", "SF", "K.", "..")),
)
def _(on: Maker) -> None:
    source, first = on.plain("s"), on.plain("x")
    both = [on.plain("y"), on.plain("z")]
    first >> both
    on.group("g", source, lambda: on.each(on.plain, on.plain("a"), *both))


@shape(
    "within a group that is mapped over a task, long after its source",
    lambda: [*ENDS_OF_A_SOURCE, *said("s=S:2 a=[{}] b=[{}]", ("SS", "S."), in_order("SFK.", 2))],
)
def _(on: Maker) -> None:
    def fill() -> None:
        first, second = on.plain("a"), on.plain("b")
        first >> second
        on.each(on.plain, second)

    on.group("g", on.plain("s"), fill)


@shape("after a mapped group", lambda: said("a=[SS] b=[{}]", several(ANY, 2)))
def _(on: Maker) -> None:
    group = on.group("g", 2, lambda: on.plain("a") >> on.plain("b"))
    on.each(on.plain, group)


@shape("after a group that is mapped over a task", lambda: [*ENDS_OF_A_SOURCE, *said("s=S:2 a=[{}]", several(ANY, 2))])
def _(on: Maker) -> None:
    group = on.group("g", on.plain("s"), lambda: on.plain("a"))
    on.each(on.plain, group)


@shape("in a mapped group after a mapped group", lambda: said("a=[{}]", in_order("SFKU.", 2)))
def _(on: Maker) -> None:
    group = on.group("g", 2, lambda: on.plain("a"))
    group >> on.group("h", 2, lambda: on.each(on.plain))


@shape("a mapped task after a mapped group", lambda: said("a=[{}]", several("SFK.", 2)))
def _(on: Maker) -> None:
    on.each(on.mapped, on.group("g", 2, lambda: on.plain("a")))


@shape("behind a mapped setup", lambda: [*said("u=[{}]", several(ANY, 2)), *said("u=[{}] w={}", several("SFK", 2), "SFK")])
def _(on: Maker) -> None:
    setup = on.mapped("u").as_setup()
    work = on.plain("w")
    setup >> work
    on.each(on.plain, work)


@shape("behind a setup within a mapped group", lambda: said("u=[{}] w=[{}]", in_order("SFK.", 2), ("SS", "FK", "..")))
def _(on: Maker) -> None:
    def fill() -> None:
        setup, work = on.plain("u").as_setup(), on.plain("w")
        setup >> work
        on.each(on.plain, work)

    on.group("g", 2, fill)


@shape("within a mapped group, behind a setup outside", lambda: said("u={} a=[{}]", "SFK.", ("SS", "SF", "K.", "..")))
def _(on: Maker) -> None:
    setup = on.plain("u").as_setup()

    def fill() -> None:
        first = on.plain("a")
        setup >> first
        on.each(on.plain, first)

    on.group("g", 2, fill)


@shape("the teardown of a mapped setup", lambda: said("u=[{}] w={}", several(ANY, 2), "SFK."))
def _(on: Maker) -> None:
    setup = on.mapped("u")
    setup >> on.plain("w") >> on.plain("t_teardown").as_teardown(setups=setup)


@shape("a teardown after mapped work", lambda: said("u={} m=[{}]", "SFKX.", several(ANY, 2)))
def _(on: Maker) -> None:
    setup = on.plain("u")
    setup >> on.mapped("m") >> on.plain("t_teardown").as_teardown(setups=setup)


@shape("a teardown long after mapped work", lambda: said("u={} m=[{}] w={}", "SFK", several("SFK.", 2), "SFK."))
def _(on: Maker) -> None:
    setup = on.plain("u")
    setup >> on.mapped("m") >> on.plain("w") >> on.plain("t_teardown").as_teardown(setups=setup)


@shape("a teardown within a mapped group", lambda: said("u=[{}] w=[{}]", in_order("SFK.", 2), in_order("SF.", 2)))
def _(on: Maker) -> None:
    def fill() -> None:
        setup = on.plain("u")
        setup >> on.plain("w") >> on.plain("t_teardown").as_teardown(setups=setup)

    on.group("g", 2, fill)


@shape(
    "a teardown within a group that is mapped over a task",
    lambda: [*ENDS_OF_A_SOURCE, *said("s=S:2 u=[{}] w=[{}]", in_order("SFK.", 2), ("SS", "F.", ".K"))],
)
def _(on: Maker) -> None:
    def fill() -> None:
        setup = on.plain("u")
        setup >> on.plain("w") >> on.plain("t_teardown").as_teardown(setups=setup)

    on.group("g", on.plain("s"), fill)


@shape("a teardown after a mapped group", lambda: said("u={} a=[{}] b=[{}]", "SFK", ("SS", "SF", "S.", "KK"), ("SS", "SF", "S.")))
def _(on: Maker) -> None:
    setup = on.plain("u")
    teardown = on.plain("t_teardown").as_teardown(setups=setup)
    setup >> on.group("g", 2, lambda: on.plain("a") >> on.plain("b")) >> teardown


# -- reading cases ----------------------------------------------------------------------------------------


def steps(case: str) -> Iterator[tuple[str, int, str, int | None]]:
    """What a case says: the task, the index, the state and the length of each that ends."""
    for word in case.split():
        task_id, _, told = word.partition("=")
        told, _, length = told.partition(":")
        indexes = range(len(told) - 2) if told[0] == "[" else (-1,)
        for map_index, letter in zip(indexes, told.strip("[]"), strict=True):
            if letter != ".":
                yield task_id, map_index, STATES[letter], int(length or 1) if letter == "S" else None


def letters_of(instances: Iterable[tuple[int, str]], *, is_mapped: bool) -> str:
    """The answer for one task: (index, letter) of each of its instances, in order."""
    found = list(instances)
    if found[0][0] < 0:
        return ("~" if is_mapped else "") + found[0][1]
    return "[" + "".join(letter for _, letter in found) + "]"


# -- asking Airflow ---------------------------------------------------------------------------------------


class InOrder(tuple[Any, ...]):
    """What a task depends on, asked in this order."""

    __slots__ = ()

    def __ror__(self, others: Iterable[Any]) -> tuple[Any, ...]:
        return (*others, *self)


class Asked:
    """A DAG in Airflow's database, of which a new run is made for each case."""

    def __init__(self, number: int, name: str) -> None:
        from types import SimpleNamespace

        from airflow.dag_processing.collection import update_dag_parsing_results_in_db
        from airflow.providers.standard.operators.python import PythonOperator
        from airflow.sdk import DAG, TaskGroup, task_group
        from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
        from airflow.utils.session import create_session

        self.number = 0
        with DAG(f"shape_{number}") as dag:
            SHAPES[name][0](Maker(SimpleNamespace(PythonOperator=PythonOperator, TaskGroup=TaskGroup, task_group=task_group)))
        self.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        for task in self.dag.tasks:
            task.deps = InOrder(sorted(task.deps, key=lambda dep: type(dep).__name__ == "MappedTaskUpstreamDep"))
        with create_session() as session:
            written = [LazyDeserializedDAG.from_dag(dag)]
            update_dag_parsing_results_in_db("dags-folder", None, written, {}, None, set(), session=session, files_parsed=set())

    def answer(self, case: str) -> str:
        """What has become of the tasks, one for each rule."""
        from airflow.utils.session import create_session

        with create_session() as session:
            run = self._new_run(session)
            ready = self._settle(run, session)
            for ended in steps(case):
                self._end(run, session, *ended)
                ready = self._settle(run, session)
            return " ".join(self._letters(run, session, ready))

    def _new_run(self, session: Any) -> Any:
        import pendulum
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        self.number += 1
        date = pendulum.datetime(2026, 1, 1).add(minutes=self.number)
        run = self.dag.create_dagrun(
            run_id=f"r{self.number}", logical_date=date, data_interval=(date, date), run_after=date, run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST, state=DagRunState.RUNNING, start_date=date, session=session,
        )  # fmt: skip
        run.dag = self.dag
        return run

    def _settle(self, run: Any, session: Any) -> set[tuple[str, int]]:
        """Let the scheduler decide until nothing changes: which instances it would start."""
        while True:
            before = [(ti.task_id, ti.map_index, str(ti.state)) for ti in run.get_task_instances(session=session)]
            decision = run.task_instance_scheduling_decisions(session=session)
            session.flush()
            now = [(ti.task_id, ti.map_index, str(ti.state)) for ti in run.get_task_instances(session=session)]
            if sorted(now) == sorted(before):
                return {(ti.task_id, ti.map_index) for ti in decision.schedulable_tis}

    def _end(self, run: Any, session: Any, task_id: str, map_index: int, state: str, length: int | None) -> None:
        from airflow.models.taskmap import TaskMap
        from airflow.models.xcom import XComModel

        ti = run.get_task_instance(task_id, map_index=map_index, session=session)
        if ti is None or ti.state in STATES.values():
            return
        ti.state = state
        if state == "success":
            XComModel.set(key="return_value", value=1, dag_id=run.dag_id, task_id=task_id, run_id=run.run_id, map_index=map_index, session=session)
            row = TaskMap(dag_id=run.dag_id, task_id=task_id, run_id=run.run_id, map_index=map_index, length=length, keys=None)
            session.add(row)
        session.flush()

    def _letters(self, run: Any, session: Any, ready: set[tuple[str, int]]) -> Iterator[str]:
        for task_id in sorted(self.dag.task_ids):
            if task_id.startswith("t_"):
                found = sorted((ti.map_index, ti.state) for ti in run.get_task_instances(session=session) if ti.task_id == task_id)
                told = [
                    (index, "R" if (task_id, index) in ready else "W" if state is None else LETTERS[str(state)])
                    for index, state in found
                ]
                yield letters_of(told, is_mapped=self.dag.get_task(task_id).get_needs_expansion())


def main() -> None:
    """Ask Airflow."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    told = []
    for number, (name, (_, cases)) in enumerate(SHAPES.items()):
        asked = Asked(number, name)
        answers = ",\n".join(f"  {json.dumps(case)}: {json.dumps(asked.answer(case))}" for case in dict.fromkeys(cases()))
        told.append(f"{json.dumps(name)}: {{\n{answers}\n}}")
    print("{\n" + ",\n".join(told) + "\n}")


if __name__ == "__main__":
    main()
