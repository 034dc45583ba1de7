"""Worker: runs one attempt and says what it left. User code can raise anything; nothing gets past here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowlet.authoring.context import CURRENT, RETURN_KEY
from flowlet.errors import FailTask, SensorTimeout, SkipTask
from flowlet.runs import values
from flowlet.worker.context import attempt_context
from flowlet.worker.logs import AttemptLog, Capture, Logs
from flowlet.worker.secrets import mask
from flowlet.worker.task_instance import RuntimeTaskInstance, as_mapping
from flowlet.worker.templates import fields_to_render, render
from flowlet.worker.workload import Outcome, Workload

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.clock import Clock
    from flowlet.worker.workload import RunFacts

CALLBACK_SECONDS = 30.0
REASON_LIMIT = 1000


class Attempt:
    """An attempt in the making: the operator's copy, its `ti`, its context. Kept between two pokes."""

    __slots__ = ("context", "pokes", "task", "ti")

    def __init__(self, task: Any, ti: RuntimeTaskInstance, context: dict[str, Any]) -> None:
        self.task, self.ti, self.context = task, ti, context
        self.pokes = 0


class Worker:
    """Runs attempts for one engine. `capture`: "logging", or "all" (prints too)."""

    def __init__(
        self, *, clock: Clock, logs: Logs, capture: str = "logging", xcom_limit: int = 16 * 1024 * 1024, marker: str = ""
    ) -> None:
        self.clock = clock
        self.logs = logs
        self.marker = marker
        self._xcom_limit = xcom_limit
        self._logs: dict[int, AttemptLog] = {}
        self._types: dict[str, Mapping[str, type]] = {}
        self._capture = Capture(capture)
        self._capture.open()

    def close(self) -> None:
        """Leave the program's logging and streams as they were."""
        self._capture.close()

    # -- one attempt ---------------------------------------------------------------------------------

    async def run(self, work: Workload) -> Outcome:
        """On the loop: an operator whose `is_async` is true."""
        try:
            attempt = self._prepare(work)
            token = CURRENT.set(attempt.context)
            try:
                if attempt.task.is_sensor:
                    return self._poked(work, attempt, await _look(attempt))
                attempt.task.pre_execute(attempt.context)
                result = await attempt.task.aexecute(attempt.context)
                attempt.task.post_execute(attempt.context, result)
                return self._succeeded(work, attempt, result)
            finally:
                CURRENT.reset(token)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # ours: the executor says what it means
            return self._raised(work, error)
        except BaseException as error:
            return self._raised(work, error)
        finally:
            self._close_log(work)

    def run_here(self, work: Workload) -> Outcome:
        """In this thread: an operator with `execute`."""
        try:
            attempt = self._prepare(work)
            CURRENT.set(attempt.context)
            if attempt.task.is_sensor:
                return self._poked(work, attempt, _look_here(attempt))
            attempt.task.pre_execute(attempt.context)
            result = attempt.task.execute(attempt.context)
            attempt.task.post_execute(attempt.context, result)
            return self._succeeded(work, attempt, result)
        except BaseException as error:
            return self._raised(work, error)
        finally:
            self._close_log(work)

    def _prepare(self, work: Workload) -> Attempt:
        if work.resume is not None:
            attempt: Attempt = work.resume
            attempt.ti._work = work
            if attempt.task.is_sensor:
                attempt.task.check_timeout(work.started_at, self.clock.now())
            return attempt
        task: Any = work.task.copy_for_attempt()
        ti = RuntimeTaskInstance(self, work, task)
        context = attempt_context(work, ti, test_mode=False)
        attempt = Attempt(task, ti, context)
        if fields_to_render(work.task):
            token = CURRENT.set(context)
            try:
                render(work.task, task, work.dag, context)
            finally:
                CURRENT.reset(token)
        for callback in task.on_execute_callback or ():
            callback(context)
        if task.is_sensor:
            task.check_timeout(work.started_at, self.clock.now())
        return attempt

    def _poked(self, work: Workload, attempt: Attempt, answer: Any) -> Outcome:
        """What a sensor saw: its condition is met, or it is to look again."""
        met, value = attempt.task.read_answer(answer)
        if met:
            return self._succeeded(work, attempt, value)
        attempt.pokes += 1
        until = attempt.task.next_poke_at(work.started_at, self.clock.now(), attempt.pokes)
        mode = attempt.task.mode
        return Outcome("waiting", until=until, mode=mode, resume=attempt if mode == "poke" else None)

    def _succeeded(self, work: Workload, attempt: Attempt, result: Any) -> Outcome:
        ti, task = attempt.ti, attempt.task
        pushed = ti._pushed
        if result is not None and task.do_xcom_push:
            if task.multiple_outputs:
                for key, value in as_mapping(result).items():
                    pushed[key] = self.encode(value, work, key)
            pushed[RETURN_KEY] = self.encode(result, work, RETURN_KEY)
        return Outcome("succeeded", xcoms=tuple(pushed.items()), skip=tuple(ti._skips))

    def _raised(self, work: Workload, error: BaseException) -> Outcome:
        """An outcome for whatever the body raised, with one readable reason."""
        reason = mask(_reason(error))[:REASON_LIMIT]
        name = type(error).__name__
        context = CURRENT.get(None)
        pushed = tuple(context["ti"]._pushed.items()) if context is not None else ()
        if isinstance(error, SkipTask):
            return Outcome("skipped", reason=reason, error=name, xcoms=pushed)
        if work.task.is_sensor and _skips_on(work.task, error):
            return Outcome("skipped", reason=reason, error=name, xcoms=pushed)
        self._log_traceback(work, error)
        final = isinstance(error, (FailTask, SensorTimeout))
        outcome = Outcome("failed", reason=reason, error=name, retry=not final, xcoms=pushed)
        outcome.exception = error
        return outcome

    def _log_traceback(self, work: Workload, error: BaseException) -> None:
        try:
            from traceback import format_exception

            self.attempt_log(work).write("".join(format_exception(error)))
        except Exception:
            return

    # -- for `ti` ------------------------------------------------------------------------------------

    def encode(self, value: Any, work: Workload, key: str) -> str:  # noqa: ARG002  the caller's place, for messages to come
        """A value as text, refused with the task's name in the message."""
        kind = type(value)
        if kind is int or kind is bool or value is None:
            return "true" if value is True else "false" if value is False else "null" if value is None else str(value)
        return values.encode(value, limit=self._xcom_limit)

    def types_of(self, work: Workload) -> Mapping[str, type]:
        """attrs and data classes that the DAG's own modules define, by name."""
        types = self._types.get(work.run.dag_id)
        if types is None:
            types = self._types[work.run.dag_id] = _classes_in(work.dag)
        return types

    def attempt_log(self, work: Workload) -> AttemptLog:
        log = self._logs.get(id(work))
        if log is None:
            log = self._logs[id(work)] = self.logs.of(work)
        return log

    def _close_log(self, work: Workload) -> None:
        if self._logs:
            log = self._logs.pop(id(work), None)
            if log is not None:
                log.close()

    # -- callbacks -----------------------------------------------------------------------------------

    async def run_callbacks(self, work: Workload, name: str, outcome: Outcome) -> list[str]:
        """A task's callbacks, after the commit; what went wrong with them, in sentences."""
        ti = RuntimeTaskInstance(self, work, work.task)
        context = attempt_context(work, ti, test_mode=False)
        context["exception"], context["reason"] = outcome.exception, outcome.reason
        problems = [await self._call_back(c, context, name) for c in getattr(work.task, f"on_{name}_callback")]
        self._close_log(work)
        return [problem for problem in problems if problem is not None]

    async def run_dag_callbacks(self, dag: DAG, run: RunFacts | None, name: str, reason: str | None) -> list[str]:
        """A DAG's callbacks at the end of a run."""
        from flowlet.worker.context import run_context

        context = {**(run_context(run) if run is not None else {}), "dag": dag, "reason": reason or name}
        problems = [await self._call_back(c, context, name) for c in getattr(dag, f"on_{name}_callback")]
        return [problem for problem in problems if problem is not None]

    async def _call_back(self, callback: Any, context: dict[str, Any], name: str) -> str | None:
        try:
            await asyncio.wait_for(_call(callback, context), CALLBACK_SECONDS)
        except TimeoutError:
            return f"on_{name}_callback took more than {CALLBACK_SECONDS:.0f} s"
        except Exception as error:
            return f"on_{name}_callback raised {mask(_reason(error))}"
        return None


async def _call(callback: Any, context: dict[str, Any]) -> None:
    """`async def` on the loop, `def` in a daemon thread of its own."""
    from flowlet.authoring.calls import is_coroutine_function

    if is_coroutine_function(callback):
        await callback(context)
        return
    import threading

    loop = asyncio.get_running_loop()
    over: asyncio.Future[BaseException | None] = loop.create_future()

    def body() -> None:
        error: BaseException | None = None
        try:
            callback(context)
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(_resolve, over, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=body, name="flowlet:callback", daemon=True).start()
    error = await over
    if error is not None:
        raise error if isinstance(error, Exception) else RuntimeError(_reason(error))


def _resolve(over: asyncio.Future[BaseException | None], error: BaseException | None) -> None:
    if not over.done():
        over.set_result(error)


async def _look(attempt: Attempt) -> Any:
    """One poke; with silent_fail an error means "not yet" (Airflow: sdk/bases/sensor.py)."""
    try:
        return await attempt.task.apoke(attempt.context)
    except Exception as error:
        if not attempt.task.silent_fail or isinstance(error, (FailTask, SkipTask, SensorTimeout)):
            raise
        return False


def _look_here(attempt: Attempt) -> Any:
    """The same, in a thread."""
    try:
        return attempt.task.poke(attempt.context)
    except Exception as error:
        if not attempt.task.silent_fail or isinstance(error, (FailTask, SkipTask, SensorTimeout)):
            raise
        return False


def _skips_on(sensor: Any, error: BaseException) -> bool:
    return bool(sensor.skips_on(error))


def _reason(error: BaseException) -> str:
    """One line, whatever the exception's own __str__ does."""
    name = type(error).__name__
    if isinstance(error, SystemExit):
        return f"SystemExit: the task called sys.exit({error.code!r})"
    try:
        text = str(error)
    except BaseException as worse:
        return f"{name} (its text raised {type(worse).__name__})"
    return f"{name}: {' '.join(text.split())}" if text else name


def _classes_in(dag: DAG) -> Mapping[str, type]:
    import sys

    found: dict[str, type] = {}
    for module_name in {getattr(getattr(op, "python_callable", None), "__module__", None) for op in dag.tasks}:
        module = sys.modules.get(module_name or "")
        if module is not None:
            found.update({name: thing for name, thing in vars(module).items() if isinstance(thing, type)})
    return found
