"""The arguments that every operator takes: their names, their checks, how they are kept.

Names and defaults are Airflow's (`sdk/bases/operator.py`). A check gets what the user wrote and gives what
is kept; what it refuses, it says in a ValueError or TypeError, to which the operator adds whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from flowlet.authoring.rules import TriggerRule, WeightRule
from flowlet.authoring.spellings import TRIGGER_RULES

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    from flowlet.authoring.dag import DAG
    from flowlet.authoring.group import TaskGroup

    Callback = Callable[[Any], Any]
    Callbacks = Callback | list[Callback] | tuple[Callback, ...] | None

    class OperatorArguments(TypedDict, total=False):
        """What `BaseOperator(...)` takes beside task_id; subclasses pass it on as `**kwargs`."""

        dag: DAG | None
        task_group: TaskGroup | None
        default_args: dict[str, Any] | None
        owner: str
        retries: int | None
        retry_delay: timedelta | float
        retry_exponential_backoff: bool | float
        max_retry_delay: timedelta | float | None
        retry_policy: Any
        start_date: datetime | str | None
        end_date: datetime | str | None
        execution_timeout: timedelta | None
        depends_on_past: bool
        ignore_first_depends_on_past: bool
        wait_for_past_depends_before_skipping: bool
        wait_for_downstream: bool
        params: dict[str, Any] | None
        priority_weight: int
        weight_rule: Any
        pool: str | None
        pool_slots: int
        trigger_rule: str
        max_active_tis_per_dag: int | None
        max_active_tis_per_dagrun: int | None
        on_execute_callback: Callbacks
        on_failure_callback: Callbacks
        on_success_callback: Callbacks
        on_retry_callback: Callbacks
        on_skipped_callback: Callbacks
        pre_execute: Callable[[Any], Any] | None
        post_execute: Callable[[Any, Any], Any] | None
        do_xcom_push: bool
        multiple_outputs: bool
        inlets: Any
        outlets: Any
        map_index_template: str | None
        render_template_as_native_obj: bool | None
        doc: str | None
        doc_md: str | None
        doc_json: str | None
        doc_yaml: str | None
        doc_rst: str | None
        task_display_name: str | None
        logger_name: str | None
        allow_nested_operators: bool
        on_crash: str
        queue: str | None
        email: Any
        email_on_retry: bool
        email_on_failure: bool
        sla: Any
        resources: Any
        run_as_user: str | None
        executor: str | None
        executor_config: Any

    class TaskArguments(OperatorArguments, total=False):
        """The same for the `**kwargs` of subclasses."""

        task_id: Required[str]


#: A longer duration is taken for this one, so that every moment fits into the file and into a datetime.
LONGEST = timedelta(days=1000 * 365)
#: What counts something fits into 32 bits.
MOST = 2**31 - 1


def duration(value: Any) -> timedelta:
    """A timedelta, or seconds as a number; a thousand years at most."""
    if isinstance(value, timedelta):
        span = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
        span = timedelta(seconds=max(-1, min(value, LONGEST.total_seconds())))
    else:
        raise TypeError(f"must be a timedelta or a number of seconds, not {value!r} ({type(value).__name__})")
    if span < timedelta(0):
        raise ValueError(f"must not be negative: {value!r}")
    return min(span, LONGEST)


def optional_duration(value: Any) -> timedelta | None:
    """As `duration`; None for none."""
    return None if value is None else duration(value)


def timeout(value: Any) -> timedelta | None:
    """A timedelta only, as in Airflow: a bare number would leave its unit open."""
    if value is not None and not isinstance(value, timedelta):
        raise TypeError(f"must be a timedelta, not {type(value).__name__}")
    if value is not None and value <= timedelta(0):
        raise ValueError(f"must be longer than nothing: {value!r}")
    return None if value is None else min(value, LONGEST)


def whole(value: Any, least: int | None = None) -> int:
    """A whole number; digits in a string are one too (templates of configuration give those)."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"must be a whole number, not {value!r} ({type(value).__name__})")
    if least is not None and value < least:
        raise ValueError(f"must be at least {least}, not {value}")
    if abs(value) > MOST:
        raise ValueError(f"must be at most {MOST:,}, not {value}")
    return value


def retries(value: Any) -> int:
    """How often to try again; None is never."""
    return 0 if value is None else whole(value, 0)


def slots(value: Any) -> int:
    """At least one."""
    return whole(value, 1)


def optional_count(value: Any) -> int | None:
    """At least one; None for no limit."""
    return None if value is None else whole(value, 1)


def multiplier(value: Any) -> float | bool:
    """By what the retry delay grows: False or 0 not at all, True is 2 (Airflow 3.3)."""
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"must be a number or a bool, not {type(value).__name__}")
    if not 0 <= value < float("inf"):
        raise ValueError(f"must be finite and not negative: {value!r}")
    return value


def retry_policy(value: Any) -> Any:
    """What decides about failures, or None."""
    if value is not None and not callable(getattr(value, "evaluate", None)):
        raise TypeError(f"must be a RetryPolicy, not {value!r}")
    return value


def trigger_rule(value: Any) -> TriggerRule:
    """One of Airflow's rules."""
    try:
        return TriggerRule(TRIGGER_RULES.get(value, value) if TRIGGER_RULES else value)
    except ValueError:
        raise ValueError(f"{value!r} is no trigger rule; there are {', '.join(TriggerRule)}") from None


def weight_rule(value: Any) -> Any:
    """One of Airflow's rules, or a strategy: an instance, or the path of a class that is imported."""
    if isinstance(value, str) and "." in value:
        value = _made_from(value)
    if not isinstance(value, str):
        from flowlet.authoring.priority import PriorityWeightStrategy

        if not isinstance(value, PriorityWeightStrategy):
            raise TypeError(f"must be one of {', '.join(WeightRule)}, or a PriorityWeightStrategy, not {value!r}")
        return value
    try:
        return WeightRule(value)
    except ValueError:
        raise ValueError(f"{value!r} is no weight rule; there are {', '.join(WeightRule)}") from None


def _made_from(path: str) -> Any:
    """An instance of the class of that path. ValueError, which says what is missing."""
    from importlib import import_module

    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"{path!r} is no class that can be imported and made without arguments: {error}") from None


def callbacks(value: Any) -> tuple[Callable[..., Any], ...]:
    """One callable or a list of them, kept as a tuple."""
    found = tuple(value) if isinstance(value, (list, tuple)) else () if value is None else (value,)
    for callback in found:
        if not callable(callback):
            raise TypeError(f"must be callable, not {callback!r}")
    return found


def many(value: Any) -> tuple[Any, ...]:
    """One thing or a list of them, kept as a tuple."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple, set)) else (value,)


def flag(value: Any) -> bool:
    """Anything's truth."""
    return bool(value)


def plain_flag(value: Any) -> bool:
    """True or False and nothing else: a word in its place is a mistake."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"must be True or False, not {value!r} ({type(value).__name__})")
    return bool(value)


def text(value: Any) -> str:
    """A string that can be written to a file."""
    if not isinstance(value, str):
        raise TypeError(f"must be a string, not {value!r} ({type(value).__name__})")
    if not value.isascii():
        value.encode()  # a lone surrogate raises a ValueError that says so
    return value


def optional_text(value: Any) -> str | None:
    """As `text`; None for none."""
    return None if value is None else text(value)


def optional_mapping(value: Any) -> Mapping[str, Any] | None:
    """A dict, or None for none."""
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"must be a dict, not {value!r} ({type(value).__name__})")
    return value


def tags(value: Any) -> set[str]:
    """Short strings."""
    if isinstance(value, str):
        raise TypeError(f"must be a list of strings, not the string {value!r}")
    found = set(value or ())
    for tag in found:
        if not isinstance(tag, str):
            raise TypeError(f"must be strings, not {tag!r}")
        if len(text(tag)) > 100:
            raise ValueError(f"must have at most 100 characters: {tag[:20]!r}...")
    return found


def folders(value: Any) -> list[str]:
    """One path or several."""
    paths = [value] if isinstance(value, (str, PathLike)) else [] if value is None else value
    if not isinstance(paths, Iterable):
        raise TypeError(f"must be a path or a list of paths, not {value!r}")
    return [text(fspath(path)) for path in paths]


def pool(value: Any) -> str:
    """A pool's name; None is the default pool."""
    if value is None:
        return "default_pool"
    if not isinstance(value, str) or not value:
        raise TypeError(f"must be the name of a pool, not {value!r}")
    return value


def on_crash(value: Any) -> str:
    """What becomes of an attempt that a crash interrupted."""
    if value not in ("requeue", "fail"):
        raise ValueError(f"must be 'requeue' or 'fail', not {value!r}")
    return str(value)


def not_yet(value: Any) -> None:
    """Known to Airflow, not yet to flowlet: refused, so that nobody relies on what does not happen."""
    if value is not None:
        raise ValueError("is not supported by this version of flowlet")


def as_it_is(value: Any) -> Any:
    """No check."""
    return value


#: Name to check. Moments (`start_date`, `end_date`) are read by the operator, which knows the time zone.
CHECKS: dict[str, Callable[[Any], Any]] = {
    "owner": text,
    "retries": retries,
    "retry_delay": duration,
    "retry_exponential_backoff": multiplier,
    "max_retry_delay": optional_duration,
    "retry_policy": retry_policy,
    "start_date": as_it_is,
    "end_date": as_it_is,
    "execution_timeout": timeout,
    "depends_on_past": flag,
    "ignore_first_depends_on_past": flag,
    "wait_for_past_depends_before_skipping": flag,
    "wait_for_downstream": flag,
    "params": as_it_is,
    "priority_weight": whole,
    "weight_rule": weight_rule,
    "pool": pool,
    "pool_slots": slots,
    "trigger_rule": trigger_rule,
    "max_active_tis_per_dag": optional_count,
    "max_active_tis_per_dagrun": optional_count,
    "on_execute_callback": callbacks,
    "on_failure_callback": callbacks,
    "on_success_callback": callbacks,
    "on_retry_callback": callbacks,
    "on_skipped_callback": callbacks,
    "pre_execute": as_it_is,
    "post_execute": as_it_is,
    "do_xcom_push": flag,
    "multiple_outputs": plain_flag,
    "inlets": many,
    "outlets": many,
    "map_index_template": as_it_is,
    "render_template_as_native_obj": as_it_is,
    "doc": as_it_is,
    "doc_md": as_it_is,
    "doc_json": as_it_is,
    "doc_yaml": as_it_is,
    "doc_rst": as_it_is,
    "task_display_name": as_it_is,
    "logger_name": as_it_is,
    "allow_nested_operators": as_it_is,
    "on_crash": on_crash,
    # accepted and kept, without effect here
    "queue": as_it_is,
    "email": as_it_is,
    "email_on_retry": as_it_is,
    "email_on_failure": as_it_is,
    "sla": as_it_is,
    "resources": as_it_is,
    "run_as_user": as_it_is,
    "executor": as_it_is,
    "executor_config": as_it_is,
}
