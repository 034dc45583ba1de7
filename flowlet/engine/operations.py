"""The engine's verbs upon what has happened already: clear, so that it happens again; mark, so that it counts as done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from flowlet.engine import rows
from flowlet.engine.arguments import FIRST, LAST, dates_between
from flowlet.engine.keeping import Keeping
from flowlet.engine.markers import Trail
from flowlet.errors import FlowletError, RunNotFound
from flowlet.runs.clearing import Which
from flowlet.runs.instances import is_active
from flowlet.runs.states import FAILED, RUNNING, UPSTREAM_FAILED
from flowlet.scheduler import requests

if TYPE_CHECKING:
    from datetime import datetime

    from flowlet.engine.run import DagRun
    from flowlet.runs.instances import ActiveRun
    from flowlet.scheduler.entry import Entry

_ONLY_FAILED = frozenset({FAILED, UPSTREAM_FAILED})
_ONLY_RUNNING = frozenset({RUNNING})


class Operations(Keeping):
    """The verbs: clear, set_task_state, set_run_state. What they did is on file when they return."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reopening = asyncio.Lock()
        """Held from the reading of a run that has ended until it is active again: nobody else makes it so meanwhile."""
        self._held: WeakValueDictionary[tuple[str, str], ActiveRun] = WeakValueDictionary()

    async def clear(
        self,
        dag_id: str,
        run_id: str | None = None,
        *,
        task_ids: str | Iterable[str] | None = None,
        map_indexes: int | Iterable[int] | None = None,
        upstream: bool = False,
        downstream: bool = False,
        past: bool = False,
        future: bool = False,
        only_failed: bool = False,
        only_running: bool = False,
        task_regex: str | None = None,
        start_date: datetime | str | None = None,
        end_date: datetime | str | None = None,
        dry_run: bool = False,
    ) -> list[tuple[str, str, int]]:
        """Let tasks of a run start anew, without `task_ids` the whole run; gives (run_id, task_id, map_index) of each.

        What is running is stopped first. Setups and teardowns go with the tasks that they are for; `upstream` and
        `downstream` take what comes before and after along. `past` and `future`: in the runs of earlier and later
        logical dates as well; without `run_id` in all runs of the DAG, or in those of the logical dates from `start_date`
        to `end_date`, both included. `task_regex` names the tasks in whose ids it is found. A run that had ended is
        queued again.
        An ExternalTaskMarker that is cleared in a whole run, or with `downstream`, takes the task that it names along, in
        that DAG's run of its date, and what comes after that; such a run_id is given as "dag_id/run_id".
        `dry_run` only tells. Raises DagNotFound, RunNotFound, TaskNotFound.
        """
        states = (_ONLY_FAILED if only_failed else frozenset()) | (_ONLY_RUNNING if only_running else frozenset())
        dates = dates_between(start_date, end_date)
        if dates is not None and run_id is not None:
            raise FlowletError("either a run is named, or the dates of some are given (start_date, end_date)")
        named = _texts(task_ids) if task_regex is None else self._matching(dag_id, task_regex, task_ids)
        which = Which(named, _numbers(map_indexes), upstream, downstream, states or None)
        async with self.reopening:
            found = await self.find_runs(dag_id, run_id, past=past, future=future, dates=dates)
            parts = await Trail(self).follow([(one, which) for one in found])
            cleared: list[tuple[str, str, int]] = await self._parts()[0].ask(requests.Clear, dag_id, parts, dry_run)
        return list(cleared)

    async def set_task_state(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: str,
        *,
        map_index: int = -1,
        upstream: bool = False,
        downstream: bool = False,
        past: bool = False,
        future: bool = False,
        dry_run: bool = False,
    ) -> list[tuple[str, str, int]]:
        """Say how a task ended: "success", "failed" or "skipped"; gives (run_id, task_id, map_index) of each that was
        in another state.

        What is running is stopped. What had failed after the task, or by it, starts anew, also in a run that had
        ended; without such, a run that had ended is what its tasks make of it now. A mapped task is marked as a
        whole, or one `map_index` of it. The other options are those of `clear`. No callbacks are called.
        """
        _check_state(state, ("success", "failed", "skipped"), "a task")
        which = Which((task_id,), None if map_index < 0 else (map_index,), upstream, downstream)
        async with self.reopening:
            found = await self.find_runs(dag_id, run_id, past=past, future=future)
            marked: list[tuple[str, str, int]] = await self._parts()[0].ask(
                requests.SetTaskState, found, which, state, dry_run
            )
        return list(marked)

    async def set_run_state(self, dag_id: str, run_id: str, state: str) -> DagRun:
        """Say how a run ended: "success" or "failed"; "queued" lets one that has ended begin again, to go on with
        what is left of it.

        What is running ends so, what waits is skipped, teardowns run still: the run ends after them, by its tasks.
        """
        _check_state(state, ("success", "failed", "queued"), "a run")
        async with self.reopening:
            (found,) = await self.find_runs(dag_id, run_id)
            run = await self._parts()[0].ask(requests.SetRunState, found, state)
        return await self._given(run)

    def _matching(self, dag_id: str, regex: str, task_ids: object) -> tuple[str, ...]:
        """The tasks of the DAG, as it is now, in whose ids the expression is found."""
        import re

        if task_ids:
            raise FlowletError("either tasks are named, or an expression for them is given (task_regex)")
        try:
            is_wanted = re.compile(regex).search
        except re.error as error:
            raise FlowletError(f"task_regex={regex!r}: {error}") from None
        self.check()
        return tuple(task.task_id for task in self.brain.entry(dag_id).spec.tasks if is_wanted(task.task_id))

    async def find_runs(
        self, dag_id: str, run_id: str | None, *, past: bool = False, future: bool = False, dates: tuple[int, int] | None = None
    ) -> list[requests.Found]:
        """The runs that a verb is about, as it may hand them to the brain while it holds `reopening`."""
        self.check()
        entry = self.brain.entry(dag_id)
        if dates is None:
            run_ids = await self._run_ids(entry, run_id, past, future)
        else:
            run_ids = await self._run_ids_between(dag_id, *dates)
        return [found for name in run_ids if (found := await self.find_run(dag_id, name))]

    async def run_of_date(self, dag_id: str, date: int) -> str | None:
        """The id of the run that has a logical date."""
        found = await self._parts()[1].fetch("run_by_logical_date", dag_id=dag_id, logical_date=date)
        return found[0][2] if found else None

    async def _run_ids(self, entry: Entry, run_id: str | None, past: bool, future: bool) -> list[str]:
        store, dag_id = self._parts()[1], entry.spec.dag_id
        if run_id is None:
            return [name for (name,) in await store.fetch("run_ids", dag_id=dag_id)]
        found = await self.find_run(dag_id, run_id)
        if found is None:
            raise RunNotFound(await self._no_such_run(entry, run_id))
        if not (past or future):
            return [run_id]
        date = found.run.logical_date
        if date is None:
            raise FlowletError(f"the run {run_id!r} of DAG {dag_id!r} has no logical date: it has neither past nor future")
        first, last = FIRST if past else date, LAST if future else date
        return await self._run_ids_between(dag_id, first, last)

    async def _run_ids_between(self, dag_id: str, first: int, last: int) -> list[str]:
        return [row[2] for row in await self._parts()[1].fetch("runs_between", dag_id=dag_id, first=first, last=last)]

    async def _no_such_run(self, entry: Entry, run_id: str) -> str:
        last = await self._parts()[1].fetch("last_runs", dag_id=entry.spec.dag_id, limit=3)
        there = f"its latest are {', '.join(row[2] for row in last)}" if last else "it has none"
        return f"DAG {entry.spec.dag_id!r} has no run {run_id!r}; {there}"

    async def find_run(self, dag_id: str, run_id: str) -> requests.Found | None:
        """A run that lives, or has ended, with what clearing it needs from the file."""
        store, entry = self._parts()[1], self.brain.entry(dag_id)
        run = entry.find(run_id)
        while run is None:
            known = await rows.ended_run(store, entry.spec, run_id)
            if known is None:
                return None
            run = entry.find(run_id) or (known if not is_active(known) else None)
        past: Sequence[Any] = ()
        if entry.has_past and run.logical_date is not None:
            past = await rows.run_before(store, entry.spec, run.logical_date)
        skips: dict[int, str] = dict(await store.fetch("skips_of_run", run=run.id))
        return requests.Found(run, self._hold(run), past, skips)

    async def _given(self, run: ActiveRun) -> DagRun:
        """What a verb gives: the run with all that it has, however little of it the verb needed."""
        from flowlet.engine.run import DagRun

        run = self._hold(run)
        await self.recall(run)
        return DagRun(self, run)  # type: ignore[arg-type]  # the engine is made of this class

    async def recall(self, run: ActiveRun) -> None:
        """What the attempts of a run left and a restart left in the file only."""
        if not run.recalled:
            await rows.recall(self._parts()[1], run)

    def _hold(self, run: ActiveRun) -> ActiveRun:
        """Somebody is given the run: who asks again, and who makes it active again, gets this very one."""
        key = run.dag_id, run.run_id
        held = self._held.get(key)
        if held is None or held.id != run.id or is_active(run):
            self._held[key] = held = run
        return held


def _check_state(state: str, known: tuple[str, ...], what: str) -> None:
    if state not in known:
        raise FlowletError(f"{what} cannot be set to {state!r}; it can be {', '.join(known)}")


def _texts(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    return None if given is None else (given,) if isinstance(given, str) else tuple(given)


def _numbers(given: int | Iterable[int] | None) -> tuple[int, ...] | None:
    return None if given is None else (given,) if isinstance(given, int) else tuple(given)
