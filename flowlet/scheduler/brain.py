"""The decisions: requests and time in, moves out. Plain and synchronous; carried out by `loop.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from flowlet.clock import iso
from flowlet.errors import DagNotFound, FlowletError, RunExists
from flowlet.runs import plan
from flowlet.runs.ending import close_if_over
from flowlet.runs.instances import ActiveRun, TaskInstance
from flowlet.runs.moves import AddRun, AddTasks
from flowlet.runs.states import (
    AWAITING_INPUT,
    DEFERRED,
    QUEUED,
    RUNNING,
    TERMINAL,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
)
from flowlet.runs.turn import Turn
from flowlet.runs.why import why
from flowlet.scheduler import (
    backfilling,
    clearing,
    editing,
    handling,
    jumps,
    keeping,
    marking,
    outcomes,
    pausing,
    pools,
    registration,
    reloading,
    requests,
    schedules,
    state_keeping,
)
from flowlet.scheduler.entry import Entry
from flowlet.scheduler.limits import Admission, Limit
from flowlet.scheduler.naming import manual_run_id, same_run

if TYPE_CHECKING:
    from flowlet.scheduler.past import Known
    from flowlet.timetables import Interval

_OF_A_TASK = frozenset({"start_task", "end_task", "settle_task", "reset_task", "release_task", "interrupt_task", "archive_attempt"})
_DUE = frozenset({UP_FOR_RETRY, UP_FOR_RESCHEDULE, RUNNING, DEFERRED, AWAITING_INPUT})


class Brain:
    """All that the scheduler knows. `turn` is its only door."""

    def __init__(
        self, *, parallelism: int, first_run_id: int = 1, first_task_id: int = 1,
        executing: bool = True, schedules: bool = True, unlimited: bool = False, clears_state: bool = False,
    ) -> None:  # fmt: skip
        self.clears_state = clears_state
        """What a task keeps goes when it succeeds."""
        self.entries: dict[str, Entry] = {}
        self.admission = Admission(parallelism, unlimited=unlimited)
        self.executing = executing
        self.schedules = schedules and executing
        self.unlimited = unlimited
        self.draining = False
        self.in_flight = 0
        """Bodies that an executor has and has not delivered."""
        self._run_id = first_run_id
        self._task_id = first_task_id
        self.next_backfill = 1
        self._timers: list[tuple[int, int, str, Any]] = []
        self._timer_number = 0
        self._now = 0
        """The moment of the last turn."""

    def _reserve(self, count: int) -> int:
        """So many ids of new task instances: the first of them."""
        first, self._task_id = self._task_id, self._task_id + count
        return first

    # -- one turn ------------------------------------------------------------------------------------

    def turn(self, asked: Sequence[Any], now: int) -> Turn:
        """Apply what was asked and what is due; decide what follows."""
        turn, self._now = Turn(now, self._reserve), now
        for request in asked:
            if type(request) is requests.Ended:
                outcomes.ended(self, request, turn)
            else:
                self._apply(request, turn)
        self._fire(turn)
        self._follow_ends(turn)
        self._set_timers(turn)
        if self.executing and not self.draining:
            self._admit(turn)
        self.file_new_runs(turn)
        if turn.joined:
            editing.enter(turn)
        return turn

    def next_due(self) -> int | None:
        """When to look again without being asked."""
        return self._timers[0][0] if self._timers else None

    def _apply(self, request: Any, turn: Turn) -> None:
        """One request never costs another: what is wrong with it is its own answer."""
        try:
            answer = _APPLY[type(request)](self, request, turn)
        except FlowletError as error:
            answer = error
        if getattr(request, "reply", None) is not None:
            turn.replies.append((request.reply, answer))
        elif isinstance(answer, FlowletError):
            turn.event("refused", str(answer))

    # -- runs ----------------------------------------------------------------------------------------

    def _trigger(self, request: requests.Trigger, turn: Turn) -> ActiveRun:
        entry = self.entry(request.dag_id)
        date = request.logical_date
        if date == requests.NOW:
            date = entry.free_date(turn.now)
        run_id = request.run_id or manual_run_id(date, turn.now)
        known = entry.find(run_id)
        if known is not None:
            return same_run(known, request)
        if not self.unlimited:
            entry.check_type(request.run_type)
        if date is not None and date in entry.dates:
            raise RunExists(f"DAG {entry.spec.dag_id!r} has a run with logical date {iso(date)} already")
        interval = None if date is None else entry.schedule.timetable.infer_manual(date)
        after = turn.now if request.logical_date == requests.NOW else None
        return self.make_run(entry, run_id, request.run_type, date, interval, turn, conf=request.conf, past=request.past, after=after)

    def make_run(
        self, entry: Entry, run_id: str, run_type: str, date: int | None, interval: Interval | None, turn: Turn,
        *, conf: str = "{}", due: int | None = None, past: Iterable[Known] = (), after: int | None = None,
        backfill: int | None = None, ignores_past: bool = False,
    ) -> ActiveRun:  # fmt: skip
        """A new run; `after` is when it may begin, if that is not its logical date."""
        if after is None:
            after = due if due is not None else (date if date is not None else turn.now)
        run = ActiveRun(
            id=self._run_id, spec=entry.spec, run_id=run_id, run_type=run_type, logical_date=date,
            interval_start=interval.start if interval else None, interval_end=interval.end if interval else None,
            run_after=after, queued_at=turn.now, conf=conf, due_at=due,
        )  # fmt: skip
        run.backfill, run.ignores_past = backfill, ignores_past
        self._run_id += 1
        run.populate(self._task_id)
        self._task_id += len(run.tasks)
        if date is not None:
            entry.newest_date = max(entry.newest_date or date, date)
        turn.runs.append(run)
        self.adopt(entry, run, past)
        self.begin_queued(entry, turn)
        return run

    def adopt(self, entry: Entry, run: ActiveRun, past: Iterable[Known] = ()) -> None:
        """The run is active from now on."""
        if entry.backfill is not None:
            backfilling.relink(entry.backfill, run)
        entry.take(run)
        run.limit = Limit(f"max_active_tasks of the run {run.run_id}", entry.spec.max_active_tasks)
        run.gate, run.is_alone = (None, True) if self.unlimited else (entry.gate, False)
        run.operators = entry.operators
        if entry.has_past:
            entry.past.learn(past)
            entry.past.link(run, entry.active.values())

    def begin_queued(self, entry: Entry, turn: Turn) -> None:
        """Let queued runs begin while there is room; say of the first that cannot why."""
        for lane in entry.lanes:
            while (run := lane.next_queued()) is not None and self._may_begin(entry, run, turn.now):
                lane.dequeue()
                plan.begin(run, turn)
                if run.state == RUNNING and entry.spec.dagrun_timeout is not None:
                    self.limit_time(run, turn.now + entry.spec.dagrun_timeout)

    def _may_begin(self, entry: Entry, run: ActiveRun, now: int) -> bool:
        run.held = self._held(entry, run, now)
        if run.held is not None and run.run_after > now and run.logical_date is not None and run.logical_date > now:
            self.at(run.logical_date, "begin", entry)
        return run.held is None

    def _held(self, entry: Entry, run: ActiveRun, now: int) -> str | None:
        if not self.executing or entry.dag is None:
            return "no scheduler runs this DAG now"
        if self.unlimited:
            return None
        if entry.paused:
            return str(entry.gate)
        lane = entry.lane_of(run)
        if entry.backfill is not None and lane is entry.backfill.lane:
            return backfilling.hold(entry.backfill)
        if len(lane.begun) >= entry.spec.max_active_runs:
            return f"max_active_runs ({len(lane.begun)} of {entry.spec.max_active_runs} active)"
        if run.run_after > now and run.logical_date is not None and run.logical_date > now:
            return f"its logical date {iso(run.logical_date)} is in the future"
        return None

    def _cancel(self, request: requests.Cancel, turn: Turn) -> ActiveRun:
        if request.run.state in (QUEUED, RUNNING):
            plan.stop_run(request.run, request.reason, turn)
            turn.event("run_cancelled", request.reason, run=request.run)
        return request.run

    def _follow_ends(self, turn: Turn) -> None:
        """What the end of a run makes room for; runs that begin may end at once, so the list grows."""
        for run in turn.over:
            entry = self.entries[run.dag_id]
            entry.let_go(run)
            entry.closing[run.run_id] = run
            entry.remember(run)
            pausing.after_failures(self, entry, run, turn)
            for follower in run.followers if self.unlimited else ():
                close_if_over(follower, turn)
            self.use_room(entry, turn)

    def use_room(self, entry: Entry, turn: Turn) -> None:
        """Something may have room again: what waits for it goes on."""
        self.begin_queued(entry, turn)
        if entry.waits:
            schedules.plan(self, entry, turn)
        if entry.backfill is not None:
            backfilling.advance(self, entry, turn)

    # -- what is only to be said ----------------------------------------------------------------------

    def _clock_jumped(self, request: requests.ClockJumped, turn: Turn) -> None:
        turn.event("clock_jump", request.text)
        jumps.follow(self, request.moved, turn)

    def _note(self, request: requests.Note, turn: Turn) -> None:
        about = request.about
        ti = about if isinstance(about, TaskInstance) else None
        turn.event(request.kind, request.text, ti=ti, run=about if isinstance(about, ActiveRun) else None)

    def _flush(self, request: requests.Flush, turn: Turn) -> None:
        """Nothing to decide: the answer comes with the turn."""

    # -- time ----------------------------------------------------------------------------------------

    def at(self, moment: int, kind: str, what: Any) -> None:
        self._timer_number += 1
        heappush(self._timers, (moment, self._timer_number, kind, what))

    def limit_time(self, run: ActiveRun, moment: int) -> None:
        """The run is to be over by then (dagrun_timeout)."""
        run.times_out_at = moment
        self.at(moment, "timeout", run)

    def _set_timers(self, turn: Turn) -> None:
        for ti in turn.wake:
            if ti.wake_at is not None and ti.state in _DUE:
                self.at(ti.wake_at, "task", ti)

    def _fire(self, turn: Turn) -> None:
        while self._timers and self._timers[0][0] <= turn.now:
            at, _, kind, what = heappop(self._timers)
            if kind == "tick":
                if what.next_due == at:
                    schedules.plan(self, what, turn)
            elif kind == "task":
                self._wake(what, at, turn)
            elif kind == "begin":
                self.use_room(what, turn)
            elif what.state == RUNNING and what.times_out_at == at:
                plan.stop_run(what, "dagrun_timeout", turn, running_become="skipped")

    def _wake(self, ti: TaskInstance, at: int, turn: Turn) -> None:
        if ti.wake_at != at or ti.state not in _DUE:
            return
        if ti.state == RUNNING:
            ti.wake_at = None
            self.admission.pokes.append(ti)
        elif ti.deferral is not None:
            ti.deferral.fall_due()
            turn.drop.append(ti.deferral)
            outcomes.go_on(self, ti, turn)
        else:
            ti.wake_at = None  # it was put off twice to one moment if it was cleared in between: it wakes once
            turn.ready.append(ti)

    # -- starting ------------------------------------------------------------------------------------

    def _admit(self, turn: Turn) -> None:
        admission = self.admission
        for ti in turn.touched:
            if ti.holds and ti.state != RUNNING:
                admission.release(ti)
                if ti.deferral is not None:
                    admission.keep(ti)
        for deferral in turn.drop:
            if deferral.work.key.deferral is not deferral:  # it was ended; else it goes on
                admission.let_go(deferral.work.key)
        if admission.pokes:
            turn.poke += admission.looks()
            self.in_flight += len(turn.poke)
        for ti in admission.admit(turn.ready):
            plan.start(ti, turn)
            self.in_flight += 1
        while admission.untold:
            ti = admission.untold.pop()
            turn.event("weight_rule_failed", admission.troubles[ti.run.dag_id, ti.spec.task_id], ti=ti)
        for ti in turn.ready:
            if ti.released and ti.state != RUNNING and ti.state not in TERMINAL:
                plan.schedule(ti, turn)

    def file_new_runs(self, turn: Turn) -> None:
        """The rows of new runs, as they stand at the end of the turn that made them."""
        for run in turn.runs:
            if run.saved:
                continue
            turn.moves.add_run.append(
                AddRun(
                    run.id, run.dag_id, run.run_id, run.run_type, QUEUED if run.started_at is None else RUNNING, run.logical_date,
                    run.interval_start, run.interval_end, run.run_after, run.due_at, run.queued_at, run.started_at, run.conf,
                )
            )  # fmt: skip
            turn.moves.add_tasks.append(AddTasks(run.id, run.first_task_id, run.spec.roster, len(run.tasks)))
            run.saved = True

    # -- after the commit ----------------------------------------------------------------------------

    def refused(self, conflicts: Sequence[Any], turn: Turn) -> list[ActiveRun]:
        """What the file did not take. Gives the runs whose rows are not as they were left: to be read again."""
        lost_runs = {conflict.move.id for conflict in conflicts if conflict.kind == "add_run"}
        lost_tasks = {conflict.move.id for conflict in conflicts if conflict.kind in _OF_A_TASK}
        turn.replies = handling.refused(conflicts, state_keeping.refused(conflicts, turn.replies))
        ended = {conflict.move.id for conflict in conflicts if conflict.kind in ("reopen_run", "begin_run", "end_run", "judge_run")}
        for run in turn.runs:
            if run.id in lost_runs:
                reloading.forget(self, run, turn)
        for ti in [ti for ti in turn.start if ti.run.id in lost_runs or ti.id in lost_tasks]:
            turn.start.remove(ti)
            self.in_flight -= 1
            self.admission.parallel.used -= 1
        stale = {ti.run.id: ti.run for ti in turn.touched if ti.id in lost_tasks}
        stale |= {run.id: run for entry in self.entries.values() for run in entry.known() if run.id in ended}
        return [run for run in stale.values() if run.id not in lost_runs]

    # -- questions -----------------------------------------------------------------------------------

    def entry(self, dag_id: str) -> Entry:
        """The DAG of that id; raises DagNotFound."""
        try:
            return self.entries[dag_id]
        except KeyError:
            raise DagNotFound(f"no DAG {dag_id!r} is registered; known: {', '.join(sorted(self.entries)[:10]) or 'none'}") from None

    def why(self, ti: TaskInstance) -> str:
        """The sentence about one task instance, limits included."""
        if ti.run.state == QUEUED:
            ti.run.held = self._held(self.entry(ti.run.dag_id), ti.run, self._now)
        if ti.released and ti.state != RUNNING and not ti.holds:
            ti.blocker = self.admission.explain(ti)
        return why(ti)


_APPLY: dict[type, Any] = {
    requests.Discarded: outcomes.discarded,
    requests.Fired: outcomes.fired,
    requests.Answer: outcomes.answer,
    requests.Register: registration.register,
    requests.Trigger: Brain._trigger,
    requests.CreateBackfill: backfilling.create,
    requests.PauseBackfill: backfilling.pause,
    requests.UnpauseBackfill: backfilling.unpause,
    requests.CancelBackfill: backfilling.cancel,
    requests.FoundDates: backfilling.found,
    requests.Cancel: Brain._cancel,
    requests.Clear: clearing.apply,
    requests.SetTaskState: marking.mark_tasks,
    requests.SetRunState: marking.mark_run,
    requests.Pause: pausing.apply,
    requests.SetPool: pools.put,
    requests.DeletePool: pools.delete,
    requests.KeepSecret: keeping.keep,
    requests.ForgetSecret: keeping.forget,
    requests.KeepState: state_keeping.keep,
    requests.DropState: state_keeping.drop,
    requests.Note: Brain._note,
    requests.Flush: Brain._flush,
    requests.Interrupt: outcomes.interrupt,
    requests.Reload: reloading.reload,
    requests.ClockJumped: Brain._clock_jumped,
}

