"""A task's retry policy is asked about a failure, where the body ran: the one guard around that code of the user's.

Source: Airflow's task_runner.py `_handle_current_task_failed` and `_evaluate_retry_policy`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flowlet.clock import span_micros

if TYPE_CHECKING:
    from flowlet.worker.attempt import Attempt
    from flowlet.worker.workload import Outcome


def is_to_be_asked(task: Any, outcome: Outcome) -> bool:
    """Whether there is a policy, and it has something to say of this outcome."""
    return task.retry_policy is not None and outcome.retry and outcome.exception is not None and outcome.kind in ("failed", "timed_out")


def ask(attempt: Attempt, outcome: Outcome) -> Outcome:
    """The outcome, as the policy wants it; as it was if there is none, or if it fails."""
    task = attempt.task
    if is_to_be_asked(task, outcome):
        try:
            _apply(_evaluate(task, attempt, outcome), outcome)
        except BaseException as problem:  # somebody's code may raise anything; it costs itself, nothing else
            _tell(task, attempt, outcome, problem)
    return outcome


def _evaluate(task: Any, attempt: Attempt, outcome: Outcome) -> Any:
    work = attempt.work
    return task.retry_policy.evaluate(
        exception=outcome.exception, try_number=work.try_number, max_tries=work.max_tries, context=_context(attempt)
    )


def _context(attempt: Attempt) -> dict[str, Any] | None:
    try:
        return attempt.context
    except Exception:  # perhaps this is what failed
        return None


def _apply(decision: Any, outcome: Outcome) -> None:
    from flowlet.authoring.arguments import optional_duration
    from flowlet.authoring.retry_policy import RetryAction, RetryDecision
    from flowlet.worker.reasons import one_line

    if not isinstance(decision, RetryDecision):
        if hasattr(decision, "close"):  # of an `async def`: nobody awaits it
            decision.close()
        raise TypeError(f"evaluate() must give a RetryDecision, not {decision!r}")
    action = RetryAction(decision.action)
    delay: timedelta | None = optional_duration(decision.retry_delay)
    if action is RetryAction.FAIL:
        outcome.retry = False
    elif action is RetryAction.RETRY and delay is not None:
        outcome.delay = span_micros(delay)
    if decision.reason and action is not RetryAction.DEFAULT:
        outcome.reason = one_line(f"{outcome.reason} (retry policy: {action.value}, {decision.reason})")


def _tell(task: Any, attempt: Attempt, outcome: Outcome, problem: BaseException) -> None:
    from flowlet.worker.reasons import deed_of
    from flowlet.worker.tracebacks import readable_traceback

    name = type(task.retry_policy).__qualname__
    outcome.notes = (*outcome.notes, ("retry_policy_failed", f"the retry policy {name} {deed_of(problem)}"))
    attempt.worker.log_of(attempt).line("ERROR", "retry_policy", readable_traceback(problem))
    attempt.worker.close_log(attempt)
