"""How many may run at once: pools, parallelism, max_active_tasks, max_active_tis; and who goes first.

Order is Airflow's: priority weight descending, logical date, map index (scheduler_job_runner.py). A task
that a limit holds back is parked at that limit, so it is looked at again when a slot is freed, and ten
thousand that wait for one pool never stand before one that is free to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from flowlet.runs.states import (
    AWAITING_INPUT,
    DEFERRED,
    NONE,
    RUNNING,
    SCHEDULED,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
)
from flowlet.scheduler.weights import BUILT_IN, weight_of

if TYPE_CHECKING:
    from flowlet.runs.instances import ActiveRun, TaskInstance

Key = tuple[int, int, int, int, int]
"""Weight, date, map index, row id, and the number of its place: an instance has one, and former ones are void."""

DEFAULT_POOL = "default_pool"
DEFAULT_POOL_SLOTS = 128
_STARTABLE = frozenset({NONE, SCHEDULED, UP_FOR_RETRY, UP_FOR_RESCHEDULE, DEFERRED, AWAITING_INPUT})


class Limit:
    """So many slots, so many taken, and who is parked for want of one."""

    __slots__ = ("counts_deferred", "deferred", "name", "parked", "size", "used")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.used = 0
        self.deferred = 0
        """The slots of those who wait for their triggers; among `used` if `counts_deferred`."""
        self.counts_deferred = False
        """Of a pool: `include_deferred`."""
        self.parked: dict[int, list[tuple[Key, TaskInstance]]] = {}

    @property
    def free(self) -> int:
        return self.size - self.used

    def park(self, key: Key, ti: TaskInstance, need: int) -> None:
        """Keep the instance until `need` slots are free."""
        ti.blocker = self
        heappush(self.parked.setdefault(need, []), (key, ti))

    def pull(self) -> tuple[Key, TaskInstance] | None:
        """The first of those parked that would fit now."""
        best: list[tuple[Key, TaskInstance]] | None = None
        for need, heap in self.parked.items():
            while heap and not _still_waits(*heap[0]):
                heappop(heap)
            if heap and need <= self.free and (best is None or heap[0][0] < best[0][0]):
                best = heap
        return heappop(best) if best else None

    def __str__(self) -> str:
        return f"{self.name} ({self.used} of {self.size} taken)"


class Gate(Limit):
    """Open or shut: a paused DAG, too many abandoned threads."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 1)

    def set_open(self, is_open: bool) -> None:
        self.size = 1 if is_open else 0

    def __str__(self) -> str:
        return self.name


class Unknown(Limit):
    """A pool that does not exist: nothing fits until it does."""

    def __init__(self, name: str) -> None:
        super().__init__(f"pool {name!r} does not exist; make it with `flowlet pools set {name} SLOTS`", 0)

    def __str__(self) -> str:
        return self.name


_NOWHERE = Unknown("")


def _may_start(ti: TaskInstance) -> bool:
    return ti.released and ti.state in _STARTABLE


def _still_waits(key: Key, ti: TaskInstance) -> bool:
    """This is its place, and it has not gone elsewhere."""
    return ti.place == key[-1] and _may_start(ti)


class Admission:
    """Lets released instances start, within every limit."""

    def __init__(self, parallelism: int, *, unlimited: bool = False) -> None:
        self.parallel = Limit("parallelism", parallelism)
        self.unlimited = unlimited
        self.pools: dict[str, Limit] = {DEFAULT_POOL: Limit(f"pool {DEFAULT_POOL!r}", DEFAULT_POOL_SLOTS)}
        self.threads = Gate("no thread is to be had")
        self.pokes: list[TaskInstance] = []
        self._task_limits: dict[tuple[str, str], Limit] = {}
        self._queue: list[tuple[Key, TaskInstance, Limit | None]] = []
        """Each with the limit at which it was parked before."""
        self._freed: set[Limit] = set()
        self._number = count()
        self.troubles: dict[tuple[str, str], str] = {}
        """(DAG, task) to what is wrong with its weight rule."""
        self.untold: list[TaskInstance] = []
        """Those by which it was found out."""

    # -- pools ---------------------------------------------------------------------------------------

    def set_pool(self, name: str, slots: int, include_deferred: bool | None = None) -> None:
        """Make a pool or change it (None: in this it stays as it is); those that wait for it look again."""
        if not self.has_pool(name):
            self._replace(name, Limit(f"pool {name!r}", slots))
        pool = self.pools[name]
        pool.size = slots
        if include_deferred is not None and include_deferred != pool.counts_deferred:
            pool.counts_deferred = include_deferred
            pool.used += pool.deferred if include_deferred else -pool.deferred
        self._freed.add(pool)

    def delete_pool(self, name: str) -> None:
        """Who waits for it, or comes to wait, waits until it is made again."""
        self._replace(name, Unknown(name))

    def _replace(self, name: str, limit: Limit) -> None:
        """One stands for the other: who is parked at the old one is parked at the new one, and there only."""
        before = self.pools.get(name)
        if before is not None:
            limit.parked, limit.used = before.parked, before.used
            limit.deferred, limit.counts_deferred = before.deferred, before.counts_deferred
            before.parked = {}
            self._freed.discard(before)
        self.pools[name] = limit

    def has_pool(self, name: str) -> bool:
        """A pool that is only asked for does not exist."""
        return not isinstance(self.pools.get(name, _NOWHERE), Unknown)

    def pool(self, name: str) -> Limit:
        pool = self.pools.get(name)
        if pool is None:
            pool = self.pools[name] = Unknown(name)
        return pool

    def reopened(self, limit: Limit) -> None:
        """A limit has more room than before."""
        self._freed.add(limit)

    # -- letting in ----------------------------------------------------------------------------------

    def admit(self, ready: list[TaskInstance]) -> Iterable[TaskInstance]:
        """Those of `ready`, and of all who wait, that may start now; their slots are taken."""
        if not self._queue and not self._freed and self._take_all(ready):
            return ready
        return self._one_by_one(ready)

    def _one_by_one(self, ready: list[TaskInstance]) -> Iterator[TaskInstance]:
        for ti in ready:
            if _may_start(ti):  # what made it ready may have been overtaken, in this very turn, by an edit of its DAG
                heappush(self._queue, (self._key(ti), ti, None))
        for limit in list(self._freed):
            self._pull(limit)
        while self.parallel.free > 0 and self._queue:
            key, ti, parked_at = heappop(self._queue)
            if _still_waits(key, ti):
                full, need = self._blocked_by(ti)
                if full is not None:
                    full.park(key, ti, need)
                else:
                    self._take(ti)
                    yield ti
            if parked_at is not None:
                self._pull(parked_at)
        for _, ti, _ in self._queue[:1]:
            ti.blocker = self.parallel

    def looks(self) -> list[TaskInstance]:
        """Sensors whose next look is due, as far as there is room for it; the others stay in their order."""
        due, self.pokes, now = self.pokes, [], []
        for ti in due:
            if ti.state != RUNNING or ti.work is None:
                continue
            if self.parallel.free <= 0 or (self.threads.size == 0 and not ti.run.is_async(ti)):
                self.pokes.append(ti)
                continue
            self.parallel.used += 1
            now.append(ti)
        return now

    def explain(self, ti: TaskInstance) -> Limit | None:
        """What keeps a released instance from starting."""
        return self._blocked_by(ti)[0] or (self.parallel if self.parallel.free <= 0 else None)

    def release(self, ti: TaskInstance) -> None:
        """Give back the slots of an instance that no longer runs."""
        ti.holds = False
        if self.unlimited:
            return
        for limit, need in self._limits(ti):
            limit.used -= need
            if limit.parked:
                self._freed.add(limit)

    def keep(self, ti: TaskInstance) -> None:
        """What waits for its trigger, or for an answer, still counts for the limits of its own task; what waits
        for its trigger, in its pool too if that says so (Airflow: ti_deps/dependencies_states.py, models/pool.py)."""
        ti.keeps = ti.state
        self._count_waiting(ti, 1)

    def let_go(self, ti: TaskInstance) -> None:
        """It waits no longer: from here on it competes like any other, or has ended."""
        if ti.keeps:
            self._count_waiting(ti, -1)
            ti.keeps = ""

    def _count_waiting(self, ti: TaskInstance, sign: int) -> None:
        if self.unlimited:
            return
        (_, (pool, need), *own) = self._limits(ti)
        if ti.keeps == DEFERRED:
            pool.deferred += sign * need
            if pool.counts_deferred:
                own.append((pool, need))
        for limit, slots in own:
            limit.used += sign * slots
            if sign < 0 and limit.parked:
                self._freed.add(limit)

    def _take(self, ti: TaskInstance) -> None:
        self.parallel.used += 1
        ti.place = -1
        self.hold(ti)

    def hold(self, ti: TaskInstance) -> None:
        """Take the slots of an instance that runs, as its task is now."""
        ti.holds = True
        if not self.unlimited:
            for limit, need in self._limits(ti):
                limit.used += need

    def _limits(self, ti: TaskInstance) -> Sequence[tuple[Limit, int]]:
        """The limits that an instance counts for, with its slots; the same for all of a run but for special tasks."""
        spec, run = ti.spec, ti.run
        if spec.max_active_tis_per_dag is None and spec.max_active_tis_per_dagrun is None:
            return (run.limit, 1), (self.pools.get(spec.pool) or self.pool(spec.pool), spec.pool_slots)
        found: list[tuple[Limit, int]] = [(run.limit, 1), (self.pool(spec.pool), spec.pool_slots)]
        if spec.max_active_tis_per_dag is not None:
            found.append((self._task_limit(ti, spec.max_active_tis_per_dag), 1))
        if spec.max_active_tis_per_dagrun is not None:
            found.append((_run_task_limit(run, ti, spec.max_active_tis_per_dagrun), 1))
        return found

    def _blocked_by(self, ti: TaskInstance) -> tuple[Limit | None, int]:
        if self.unlimited:
            return None, 0
        gate = ti.run.gate
        if gate is not None and gate.size == 0:
            return gate, 1
        if self.threads.size == 0 and not ti.run.is_async(ti):
            return self.threads, 1
        for limit, need in self._limits(ti):
            if limit.size - limit.used < need:
                return limit, need
        return None, 0

    def _take_all(self, ready: list[TaskInstance]) -> bool:
        """The common case, decided without ordering anything: there is room for all."""
        if len(ready) > self.parallel.free or self.threads.size == 0 or (self.unlimited and len(ready) > 1):
            return False
        needs = self._needs(ready)
        if needs is None or any(need > limit.size - limit.used for limit, need in needs.items()):
            return False
        for limit, need in needs.items():
            limit.used += need
        self.parallel.used += len(ready)
        for ti in ready:
            ti.holds, ti.place = True, -1
        return True

    def _needs(self, ready: list[TaskInstance]) -> dict[Limit, int] | None:
        """The slots that all of them take together; None if one of them has to be looked at by itself."""
        needs: dict[Limit, int] = {}
        if self.unlimited:
            return needs
        pools = self.pools
        for ti in ready:
            spec, run = ti.spec, ti.run
            pool = pools.get(spec.pool)
            if pool is None or not _may_start(ti) or spec.max_active_tis_per_dag or spec.max_active_tis_per_dagrun:
                return None
            if run.gate is not None and run.gate.size == 0:
                return None
            needs[run.limit] = needs.get(run.limit, 0) + 1
            needs[pool] = needs.get(pool, 0) + spec.pool_slots
        return needs

    def _pull(self, limit: Limit) -> None:
        """The first of those parked at a limit that has room again stands in the queue; when it has been
        looked at the next one follows, so that nobody of a lower place starts before it."""
        entry = limit.pull()
        if entry is None:
            self._freed.discard(limit)
        else:
            heappush(self._queue, (*entry, limit))

    def _key(self, ti: TaskInstance) -> Key:
        ti.place = next(self._number)
        if self.unlimited:
            return (ti.run.run_after, ti.run.id, ti.spec.index, ti.map_index, ti.place)
        date = ti.run.logical_date if ti.run.logical_date is not None else ti.run.run_after
        return (-self._weight(ti), date, ti.map_index, ti.id, ti.place)

    def _weight(self, ti: TaskInstance) -> int:
        if ti.spec.weight_rule in BUILT_IN:
            return weight_of(ti.run.spec, ti.spec.index)
        from flowlet.scheduler.strategies import weigh

        weight, trouble = weigh(ti)
        task = (ti.run.dag_id, ti.spec.task_id)
        if trouble is not None and self.troubles.get(task) != trouble:
            self.troubles[task] = trouble
            self.untold.append(ti)
        return weight

    def _task_limit(self, ti: TaskInstance, size: int) -> Limit:
        key = (ti.run.dag_id, ti.spec.task_id)
        limit = self._task_limits.get(key)
        if limit is None:
            limit = self._task_limits[key] = Limit(f"max_active_tis_per_dag of {ti.spec.task_id}", size)
        limit.size = size
        return limit


def _run_task_limit(run: ActiveRun, ti: TaskInstance, size: int) -> Limit:
    if run.task_limits is None:
        run.task_limits = {}
    limit: Limit | None = run.task_limits.get(ti.spec.task_id)
    if limit is None:
        limit = run.task_limits[ti.spec.task_id] = Limit(f"max_active_tis_per_dagrun of {ti.spec.task_id}", size)
    return limit


