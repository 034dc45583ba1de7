"""One attempt, from its context to its outcome: the one boundary around user code.

Whatever a body raises ends as an outcome with one readable reason. Only a cancellation that somebody else
asked for goes on as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import CURRENT, RETURN_KEY
from flowlet.authoring.triggers import TaskDeferred
from flowlet.clock import span_micros
from flowlet.errors import FailTask, PokeAgain, SensorTimeout, SkipTask, TaskTimeout
from flowlet.operators.results import awaited, awaited_here
from flowlet.worker.context import attempt_context
from flowlet.worker.rendering import plan_rendering
from flowlet.worker.task_instance import RuntimeTaskInstance, as_mapping
from flowlet.worker.workload import Outcome

if TYPE_CHECKING:
    from flowlet.worker.deferral import Deferral
    from flowlet.worker.logs import AttemptLog
    from flowlet.worker.worker import Recipe, Worker
    from flowlet.worker.workload import Workload

#: The attempt to which the running code belongs: its context, its log.
ATTEMPT: ContextVar[Attempt | None] = CURRENT  # type: ignore[assignment]  # authoring knows of the context only


class Attempt:
    """One execution of one workload. Made by `Worker.begin`, run once, in a context of its own.

    `stop` says as what it ends, and why, if it is being stopped; the executor sets it before it cancels.
    `handle`, `over`, `scope` and `timer` are the executor's.
    """

    ti: RuntimeTaskInstance | None = None
    log: AttemptLog | None = None  # once something is written
    looks: int = 0  # of a sensor, in this try
    notes: Sequence[tuple[str, str]] = ()
    stop: tuple[str, str] | None = None
    over: bool = False
    handle: asyncio.Task[None] | None = None
    scope: Any = None
    timer: asyncio.TimerHandle | None = None
    recipe: Recipe | None = None
    shown: str | None = None  # its rendered fields as people may see them: JSON
    _rendered: Mapping[str, Any] | None = None

    def __init__(self, worker: Worker, work: Workload, context: dict[str, Any] | None = None) -> None:
        self.worker = worker
        self.work = work
        self._context = context

    # -- running --------------------------------------------------------------------------------------

    async def run(self) -> Outcome:
        """Run a body that is a coroutine, on the loop."""
        try:
            recipe = self._enter()
            if recipe.plain and self.work.resume is None:
                args, kwargs = self._arguments(recipe)
                return self._succeed(await self.work.task.acall(args, kwargs))
            task: Any = self._prepare(recipe).task
            context, deferral = self.context, self.deferral
            if deferral is not None and deferral.ends_it:
                return self._end_by(deferral)
            if self.looks == 0:
                if task.on_execute_callback:
                    self._tell(await self.worker.run_callbacks(self.work, "execute", self._unfinished()))
                task.pre_execute(context)
            result = await (task.aexecute(context) if deferral is None else awaited(deferral.go_on(task, context)))
            task.post_execute(context, result)
            return self._succeed(result)
        except BaseException as problem:
            return self._ended(problem)

    def run_sync(self) -> Outcome:
        """Run a body that is a plain call, in a thread."""
        if self.stop is not None:  # it was stopped while it waited for a thread
            return self.stopped()
        try:
            recipe = self._enter()
            if recipe.plain and self.work.resume is None:
                args, kwargs = self._arguments(recipe)
                return self._succeed(self.work.task.call(args, kwargs))
            task: Any = self._prepare(recipe).task
            context, deferral = self.context, self.deferral
            if self.looks == 0:
                if task.on_execute_callback:
                    self._tell(self.worker.run_callbacks_here(self.work, "execute", self._unfinished()))
                task.pre_execute(context)
            result = task.execute(context) if deferral is None else awaited_here(deferral.go_on(task, context))
            task.post_execute(context, result)
            return self._succeed(result)
        except BaseException as problem:
            return self._ended(problem)

    def _enter(self) -> Recipe:
        """From here on the running code belongs to this attempt."""
        ATTEMPT.set(self)
        if self.worker.repairs is not None:
            self.worker.repairs()
        return self.recipe or self.worker.recipe_of(self.work.task)

    def _arguments(self, recipe: Recipe) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Of a call that asks for nothing else: a context is made only if the body looks for one."""
        task: Any = self.work.task
        self.ti = ti = RuntimeTaskInstance(self.worker, self.work, task, recipe.types)
        if recipe.plan is None:
            return task.op_args, task.op_kwargs
        self._rendered = rendered = recipe.plan.resolve(task, {"ti": ti})
        return rendered.get("op_args", task.op_args), rendered.get("op_kwargs", task.op_kwargs)

    def _prepare(self, recipe: Recipe) -> RuntimeTaskInstance:
        """The operator's copy with its fields rendered, and the context."""
        before = self.work.resume
        if isinstance(before, Attempt):
            return self._go_on(before)
        context = self.context
        assert self.ti is not None  # noqa: S101  made with the context
        if before is not None:
            self.ti._pushed.update(before.pushed)
            self.ti._skips = before.skips
        if self.work.task.is_mapped:
            self._unmap(self.ti, context)
        elif recipe.plan is not None:
            recipe.plan.render(context["task"], self.work.dag, context)
            self._show()
        return self.ti

    def _unmap(self, ti: RuntimeTaskInstance, context: dict[str, Any]) -> None:
        """From here on the task is the operator of this instance; what it got from others is not rendered."""
        node: Any = self.work.task
        operator, foreign = node.unmap(context)
        ti.task = context["task"] = operator
        plan = plan_rendering(operator)
        if plan is not None:
            plan.render(operator, self.work.dag, context, foreign)
        self._show()

    def _show(self) -> None:
        """Keep the rendered fields as they are now: a body may change what they hold."""
        from json import dumps

        from flowlet.worker.shown import shown_fields

        self.shown = dumps(shown_fields(self.ti.task))  # type: ignore[union-attr]  # it was rendered

    @property
    def task(self) -> Any:
        """The operator of this attempt: of a mapped task its instance's, as soon as that is made."""
        return self.work.task if self.ti is None else self.ti.task

    @property
    def deferral(self) -> Deferral | None:
        """The wait that is over, if the task goes on after one."""
        before = self.work.resume
        return None if before is None or isinstance(before, Attempt) else before

    @property
    def is_async(self) -> bool:
        """Whether what is called now runs on the loop."""
        deferral = self.deferral
        return self.worker.recipe_of(self.work.task).is_async if deferral is None else deferral.goes_on_async

    @property
    def context(self) -> dict[str, Any]:
        """What the body may look at; made when somebody asks for it."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def _make_context(self) -> dict[str, Any]:
        """With the operator's own copy for this attempt, as far as it is rendered."""
        worker, work = self.worker, self.work
        task = work.task.copy_for_attempt()
        if self._rendered is not None:
            for field, value in self._rendered.items():
                object.__setattr__(task, field, value)
        if self.ti is None:
            self.ti = RuntimeTaskInstance(worker, work, task, worker.recipe_of(work.task).types)
        else:
            self.ti.task = task
        return attempt_context(work, self.ti, test_mode=worker.test_mode)

    def _go_on(self, before: Attempt) -> RuntimeTaskInstance:
        """As the attempt that is looked at again: the same copy, context and log."""
        self.ti, self._context, self.looks = before.ti, before._context, before.looks
        self.log, self.notes, self.shown = before.log, before.notes, before.shown
        assert self.ti is not None  # noqa: S101  it looked
        self.ti._work = self.work
        sensor: Any = self.ti.task
        limit = sensor.execution_timeout
        if limit is not None and self.worker.clock.now() >= self.work.started_at + span_micros(limit):
            sensor.after_error(TaskTimeout(f"it ran longer than its execution_timeout of {limit}"))
        return self.ti

    # -- outcomes -------------------------------------------------------------------------------------

    def _succeed(self, result: Any) -> Outcome:
        ti = self.ti
        assert ti is not None  # noqa: S101  it ran
        if self.stop is not None and not self.over:
            return self._final(self.stopped())
        task = ti.task
        self._check_what_others_need(result)
        if result is not None and task.do_xcom_push and not ti.has_decided:
            if task.multiple_outputs:
                for key, value in as_mapping(result).items():
                    ti.xcom_push(key, value)
            ti.xcom_push(RETURN_KEY, result)
        if task.outlets:
            from flowlet.worker.assets import record

            record(task, ti, self.work.run, self.context["outlet_events"])
        outcome = Outcome("succeeded", tuple(ti._pushed.items()), ti._skips)
        if self.work.task.is_map_source:
            outcome.length = self._length(result)
        return self._leave(outcome)

    def _check_what_others_need(self, result: Any) -> None:
        """A name that cannot be rendered, or nothing to map over, fails the task before it leaves a value, as in Airflow."""
        if self.work.map_index >= 0:
            if self.work.task.map_index_template:
                self._label(self.work.task.map_index_template)
        elif self.work.task.is_map_source:
            self._length(result)

    def _length(self, result: Any) -> int:
        """How many items others are mapped over; a mapped instance counts as one, if it returned anything."""
        from flowlet.worker.mapping import checked_length

        if self.work.map_index >= 0:
            return int(RETURN_KEY in self.ti._pushed)  # type: ignore[union-attr]  # it ran
        return checked_length(result, self.work.task)

    def _wait(self) -> Outcome:
        """A sensor did not see yet what it waits for: when it is to look again."""
        sensor: Any = self.ti.task  # type: ignore[union-attr]  # it looked
        self.looks += 1
        now = self.worker.clock.now()
        until = sensor.next_poke_at(self.work.started_at, now, self.looks)
        if sensor.defers_between_looks:
            return self._defer(sensor.until_next_look(until))
        if sensor.mode == "reschedule":
            return self._leave(Outcome("waiting", until=until, mode="reschedule"))
        if sensor.execution_timeout is not None:
            until = min(until, self.work.started_at + span_micros(sensor.execution_timeout))
        if self.log is not None:
            self.log.close(for_good=False)
        return Outcome("waiting", until=until, mode="poke", resume=self)

    def _defer(self, wish: TaskDeferred) -> Outcome:
        """The task lets go of everything until its trigger fires."""
        from flowlet.worker.deferral import Deferral

        assert self.ti is not None  # noqa: S101  it ran
        deferral = Deferral(wish, self.work, self.ti, self.worker.clock.now())
        return self._leave(Outcome("deferred", until=deferral.due_at, resume=deferral))

    def _end_by(self, deferral: Deferral) -> Outcome:
        """The trigger ends the task without calling it again."""
        from flowlet.worker.deferral import end_by

        end_by(deferral.event, self.ti)  # type: ignore[arg-type]  # such an event, and the context is made
        return self._succeed(None)

    def _ended(self, problem: BaseException) -> Outcome:
        """What a body that raised left. Raises only the cancellation of somebody else."""
        if self.stop is not None and not self.over:
            return self._final(self.stopped(problem))
        if isinstance(problem, asyncio.CancelledError) and _is_cancelled_from_outside():
            raise problem
        try:
            if isinstance(problem, PokeAgain) and self.work.task.is_sensor:
                return self._wait()
            if isinstance(problem, TaskDeferred):
                return self._defer(problem)
        except Exception as end:  # a sensor's timeout, for one
            problem = end
        try:
            outcome = self._outcome_of(problem)
        except BaseException as worse:  # an exception whose own methods raise, in a way not thought of
            from flowlet.worker.reasons import name_of

            outcome = Outcome("failed", reason=f"{name_of(problem)} ({name_of(worse)} when it was looked at)")
        return self._final(self._leave(outcome))

    def _final(self, outcome: Outcome) -> Outcome:
        """What the task's own retry policy makes of a failure, where the body ran."""
        if self.over or outcome.exception is None or self.task.retry_policy is None:
            return outcome
        from flowlet.worker.retry_policies import ask

        return ask(self, outcome)

    def _outcome_of(self, problem: BaseException) -> Outcome:
        from flowlet.worker.reasons import class_name, one_line, reason_of, text_of

        if isinstance(problem, SkipTask):
            reason = one_line(text_of(problem)) or None
            self._write("INFO", f"Skipped: {reason}" if reason else "Skipped")
            return Outcome("skipped", reason=reason, error=class_name(problem), xcoms=self._xcoms())
        self._write_traceback(problem)
        outcome = Outcome(
            "timed_out" if isinstance(problem, (TaskTimeout, SensorTimeout)) else "failed",
            reason=reason_of(problem),
            error=class_name(problem),
            retry=not isinstance(problem, (FailTask, SensorTimeout)),
            xcoms=self._xcoms(),
        )
        outcome.exception = problem
        return outcome

    def stopped(self, problem: BaseException | None = None) -> Outcome:
        """What is left of an attempt that is stopped: by its timeout, by a person, with the engine."""
        assert self.stop is not None  # noqa: S101  the executor said why
        kind, reason = self.stop
        self._write("ERROR", reason)
        if problem is not None and not isinstance(problem, (asyncio.CancelledError, PokeAgain, TaskDeferred)):
            self._write_traceback(problem)
        if kind != "timed_out":
            return self._leave(
                Outcome(kind, reason=reason, xcoms=() if kind == "interrupted" else self._xcoms())
            )
        sensor: Any = self.work.task if self.work.task.is_sensor else None
        if sensor is not None and (rule := sensor.skips_by(TaskTimeout(reason))):
            kind, reason = "skipped", f"{rule}: {reason}"
        outcome = Outcome(kind, reason=reason, error="TaskTimeout", xcoms=self._xcoms())
        outcome.exception = TaskTimeout(reason)
        return self._leave(outcome)

    def _unfinished(self) -> Outcome:
        """For callbacks that run before the body."""
        outcome = Outcome("running")
        outcome.context = self._context
        return outcome

    def _tell(self, problems: list[str]) -> None:
        """What went wrong with callbacks before the body stands in `events`, with the attempt's end."""
        self.notes = [*self.notes, *(("callback_failed", problem) for problem in problems)]

    def _xcoms(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.ti._pushed.items()) if self.ti is not None else ()

    def _leave(self, outcome: Outcome) -> Outcome:
        """The last thing in every attempt: close its log, hand over what callbacks and events need."""
        outcome.context = self._context
        if self._context is not None and getattr(self.ti and self.ti.task, "overwrite_rtif_after_execution", False):
            self._show()
        if self.shown is not None:
            outcome.rendered = self.shown
        if self.work.map_index >= 0 and self.work.task.map_index_template:
            outcome.label = self._label_if_any(self.work.task.map_index_template)
        if self.log is not None:
            self.worker.close_log(self)
        if self.notes:
            outcome.notes = tuple(self.notes)
        return outcome

    def _label(self, template: str) -> str | None:
        """What the instance is called (Airflow: task_runner.py `_render_map_index`)."""
        from flowlet.worker.shown import label
        from flowlet.worker.templates import templates_of

        return label(str(templates_of(self.work.task, self.work.dag).render(template, self.context)))

    def _label_if_any(self, template: str) -> str | None:
        """The same after a failure, which it does not hide."""
        try:
            return self._label(template)
        except Exception as problem:
            self._write("WARNING", f"map_index_template cannot be rendered: {type(problem).__name__}: {problem}")
            return None

    # -- its log --------------------------------------------------------------------------------------

    def _write(self, level: str, text: str) -> None:
        self.worker.log_of(self).line(level, "task", text)

    def _write_traceback(self, problem: BaseException) -> None:
        from flowlet.worker.tracebacks import readable_traceback

        self._write("ERROR", readable_traceback(problem))


def _is_cancelled_from_outside() -> bool:
    """Whether somebody cancelled the asyncio task of this body; a CancelledError can also be just raised."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # in a thread
        return False
    return task is not None and task.cancelling() > 0
