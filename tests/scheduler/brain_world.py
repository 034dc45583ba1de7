"""The pure brain in a world without time and processes: bodies that end when a test says so, and a real file.

A `World` is what the loop, the executor and the store are to the brain. Every turn is written by the store's
own statements, all at once (a guard that does not fit fails the test), and looked at by `laws.LAWS`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from flowlet.authoring.spec import DagSpec, TaskSpec, sources
from flowlet.engine import rows
from flowlet.errors import RunExists
from flowlet.runs.clearing import Which
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.moves import Moves
from flowlet.runs.turn import Turn
from flowlet.scheduler import requests
from flowlet.scheduler.brain import Brain
from flowlet.store import applying, fitness
from flowlet.store.reader import QUERIES
from flowlet.store.sqlite import open_writer
from flowlet.worker.workload import Outcome

NEW_YEAR = 1_767_225_600_000_000
SECOND = 1_000_000


class File:
    """An in-memory database of flowlet's, and its statements."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection = open_writer(":memory:", full=False)
        fitness.migrate(self.connection, ":memory:")

    async def fetch(self, name: str, **where: Any) -> list[Any]:
        return self.select(QUERIES[name], **where)

    def select(self, sql: str, **where: Any) -> list[Any]:
        return self.connection.execute(sql, where).fetchall()

    def commit(self, moves: Moves) -> None:
        """As the store does it, with nobody who interferes: whatever does not fit was decided wrongly."""
        self.connection.execute("BEGIN")
        try:
            applying.all_at_once(self.connection, moves)
        except applying.Mismatch:
            self.connection.execute("ROLLBACK")
            self.connection.execute("BEGIN")
            conflicts = applying.one_by_one(self.connection, moves)
            assert conflicts == [], conflicts
        self.connection.execute("COMMIT")

    def states(self, dag_id: str | None = None) -> dict[tuple[str, str, str], str]:
        """(DAG, run, task) to state."""
        key = "CASE WHEN map_index < 0 THEN task_id ELSE task_id || '[' || map_index || ']' END"
        found = self.select(f"SELECT dag_id, run_id, {key}, state FROM tasks WHERE :d IS NULL OR dag_id = :d", d=dag_id)
        return {(dag, run, task): state for dag, run, task, state in found}

    def runs(self) -> dict[tuple[str, str], str]:
        return {(dag, run): state for dag, run, state in self.select("SELECT dag_id, run_id, state FROM runs")}


class Operator:
    """What the user would have written, as far as the brain looks at it."""

    is_async = True
    on_success_callback = on_failure_callback = on_retry_callback = on_skipped_callback = None


class Dag:
    def __init__(self, spec: DagSpec) -> None:
        self.task_dict = {task.task_id: Operator() for task in spec.tasks}


class Work:
    """An attempt that executes. `key` as in Workload."""

    def __init__(self, ti: TaskInstance) -> None:
        self.key = ti
        self.task = ti.run.operators[ti.spec.index]
        self.try_number = ti.try_number
        self.resume: Any = None

    @property
    def failures(self) -> int:
        """How often the task failed before this attempt: tries that did not count are none."""
        return self.try_number - 1 - (self.key.max_tries - self.key.spec.retries)


class World:
    """A brain, its file, and the bodies that execute."""

    def __init__(self, *, parallelism: int = 32, laws: Iterable[Callable[[World, Turn], None]] = ()) -> None:
        self.file = File()
        self.parallelism = parallelism
        self.laws = tuple(laws)
        self.now = NEW_YEAR
        self.known_states: dict[int, str] = {}
        """Of each row that a task instance has."""
        self.clears: Counter[Any] = Counter()
        """How often each task instance was cleared: (DAG, run, task, map index)."""
        self.anew: set[int] = set()
        """Rows that were cleared and have not started since."""
        self.dags: dict[str, DagSpec] = {}
        self.start_brain()

    def start_brain(self) -> None:
        """A new process on the file: nothing of the one before is left but the file."""
        run_id, task_id = self._fetch("max_ids")[0]
        self.brain = Brain(parallelism=self.parallelism, first_run_id=run_id + 1, first_task_id=task_id + 1)
        self.asked: list[Any] = []
        self.works: list[Work] = []
        """Bodies that execute now; sensors between two pokes are not among them."""
        self.executing = 0
        """How many bodies there were when the brain had decided and nothing was started or stopped yet."""
        self.edited: set[str | None] = set()
        """DAGs that were described anew, or cleared, in the last turn: what was decided before that followed the old one."""
        self.answers: list[Any] = []
        for name, slots, _, _ in self._fetch("pools"):
            self.brain.admission.set_pool(name, slots)

    def crash(self) -> None:
        """kill -9 between two turns, and the next start."""
        self.now += SECOND
        self.start_brain()
        active = drive(rows.active_runs(self.file))  # it fetches, as the store does
        for spec in self.dags.values():
            self.asked.append(self._registration(spec, active.get(spec.dag_id, ())))
        self.turn()

    def crash_before_commit(self) -> None:
        """What the last turn decided is lost."""
        self.brain.turn(self.asked, self.now)
        self.crash()

    # -- what is asked ---------------------------------------------------------------------------------

    def add(self, spec: DagSpec) -> None:
        """Register a DAG, or register it again, edited."""
        known = spec.dag_id in self.dags
        active = () if known else drive(rows.active_runs(self.file)).get(spec.dag_id, ())
        self.dags[spec.dag_id] = spec
        self.ask(self._registration(spec, active))

    def _registration(self, spec: DagSpec, active: Any) -> Any:
        row = drive(rows.of_dag(self.file, spec.dag_id))
        newest = drive(rows.newest_date(self.file, spec.dag_id))
        entry = self.brain.entries.get(spec.dag_id)
        dates = [run.logical_date for run in entry.known()] if entry else []
        return drive(rows.registration(self.file, Dag(spec), spec, row, active, newest, dates))

    def ask(self, request: Any) -> Any:
        """Put the request into a turn; gives the answer, raises if it is an error."""
        if "reply" in request._fields:
            request = request._replace(reply=len(self.answers))
            self.answers.append(None)
        self.asked.append(request)
        self.turn()
        if "reply" not in request._fields:
            return None
        answer = self.answers[request.reply]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def trigger(self, dag_id: str, run_id: str | None = None, *, date: int | None = requests.NOW) -> ActiveRun:
        """As the engine does it: it looks at the file first."""
        entry, past = self.brain.entries[dag_id], []
        taken = "SELECT 1 FROM run WHERE dag_id = :dag AND state NOT IN ('queued', 'running') AND (run_id = :id OR logical_date = :date)"
        if self.file.select(taken, dag=dag_id, id=run_id, date=date):
            raise RunExists(f"{dag_id} has had {run_id}")
        if entry.has_past and date is not None and date != requests.NOW:
            past = drive(rows.run_before(self.file, entry.spec, date))
        run: ActiveRun = self.ask(requests.Trigger(dag_id, run_id, date, "{}", past))
        return run

    def found(self, dag_id: str, run_id: str) -> requests.Found:
        """A run that lives, or has ended, as the engine finds it."""
        entry = self.brain.entries[dag_id]
        run = entry.find(run_id) or drive(rows.ended_run(self.file, entry.spec, run_id))
        past = []
        if entry.has_past and run.logical_date is not None:
            past = drive(rows.run_before(self.file, entry.spec, run.logical_date))
        return requests.Found(run, run, past, dict(self.file.select(QUERIES["skips_of_run"], run=run.id)))

    def clear(self, dag_id: str, *run_ids: str, dry_run: bool = False, **which: Any) -> list[tuple[str, str, int]]:
        """Clear what is named of these runs; gives what was cleared."""
        found = [self.found(dag_id, run_id) for run_id in run_ids]
        cleared: list[tuple[str, str, int]] = self.ask(requests.Clear(dag_id, [(one, Which(**which)) for one in found], dry_run))
        return cleared

    def end(self, work: Work, outcome: Outcome) -> None:
        """The body ends; told in the next turn."""
        self.works.remove(work)
        if outcome.length is not None and work.key.map_index >= 0:
            outcome.length = 1  # as the worker tells it: one of several
        self.asked.append(requests.Ended(work, outcome))  # all that the brain looks at

    # -- turns -----------------------------------------------------------------------------------------

    def turn(self) -> Turn:
        """One turn of the loop, without the waiting."""
        asked, self.asked = self.asked, []
        self.edited = {request.spec.dag_id for request in asked if isinstance(request, requests.Register)}
        turn = self.brain.turn(asked, self.now)
        self.edited |= {move.dag_id for move in turn.moves.add_event if move.kind in ("cleared", "marked", "run_marked")}
        self.executing = len(self.works) + len(turn.poke)
        self.file.commit(turn.moves)
        for reply, answer in turn.replies:
            self.answers[reply] = answer
        self._carry_out(turn)
        for law in self.laws:
            law(self, turn)
        return turn

    def _carry_out(self, turn: Turn) -> None:
        for ti in turn.touched:
            ti.shown = ti.state
        for work in turn.stop:
            if work in self.works:
                self.end(work, Outcome("cancelled"))
        for ti in turn.start:
            ti.work = Work(ti)
            self.works.append(ti.work)
        self.works.extend(ti.work for ti in turn.poke)
        for run in turn.over:
            run.shown = run.state
            self.brain.entries[run.dag_id].closing.pop(run.run_id, None)

    def pass_time(self) -> bool:
        """To the next due moment; False when nothing is due ever."""
        due = self.brain.next_due()
        if due is None:
            return False
        self.now = max(self.now, due)
        self.turn()
        return True

    def finish_works(self, outcome: Outcome) -> None:
        """Everything that executes ends so."""
        for work in list(self.works):
            self.end(work, outcome)
        self.turn()

    def finish(self, outcome: Callable[[Work], Outcome]) -> None:
        """Let everything end that can: bodies by `outcome`, waits by the clock."""
        for _ in range(20_000):
            if self.works:
                work = self.works[0]
                self.end(work, outcome(work))
                self.turn()
            elif self.asked:
                self.turn()
            elif not self.pass_time():
                return
        raise AssertionError("it does not come to an end")

    # -- questions -------------------------------------------------------------------------------------

    @property
    def bodies(self) -> int:
        """How many execute, those included whose end has not been told yet."""
        return len(self.works) + sum(isinstance(request, requests.Ended) for request in self.asked)

    def active(self) -> list[ActiveRun]:
        return [run for entry in self.brain.entries.values() for run in entry.active.values()]

    def instances(self) -> list[TaskInstance]:
        return [ti for run in self.active() for ti in run.instances]

    def why(self, ti: TaskInstance) -> str:
        return self.brain.why(ti)

    def _fetch(self, name: str) -> list[Any]:
        return self.file.select(QUERIES[name])


def drive(coroutine: Any) -> Any:
    """The value of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


def dag_of(dag_id: str, *tasks: TaskSpec, **more: Any) -> DagSpec:
    """A spec from tasks that name their upstreams by index; index and downstreams are filled in."""
    below: list[list[int]] = [[] for _ in tasks]
    for index, task in enumerate(tasks):
        task.index = index
        for up in task.upstream:
            below[up].append(index)
    for task, downstream in zip(tasks, below, strict=True):
        task.downstream = tuple(downstream)
        for source in sources(task.mapping or ()):
            tasks[source].is_map_source = True
    return DagSpec(dag_id=dag_id, tasks=tasks, **more)


def a_task(task_id: str, *upstream: int, **more: Any) -> TaskSpec:
    return TaskSpec(task_id=task_id, index=0, operator="Op", upstream=upstream, **more)


def succeeded(_: Work | None = None, *, length: int = 2) -> Outcome:
    """With a list of so many items: as many instances gets who is mapped over it."""
    return Outcome("succeeded", xcoms=(("return_value", json.dumps([0] * length)),), length=length)


def failed(_: Work | None = None) -> Outcome:
    return Outcome("failed", reason="as it should", error="ValueError")
