"""What the running attempt may look at from anywhere in its code."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from flowlet.errors import FlowletError

Context = dict[str, Any]
"""What a task is given when it runs: Airflow's keys (see Airflow's `sdk/definitions/context.py`)."""


class HasContext(Protocol):
    """The running attempt; it makes its context when somebody asks for it."""

    @property
    def context(self) -> Context: ...


#: Set by the worker around each attempt.
CURRENT: ContextVar[HasContext | None] = ContextVar("flowlet_attempt", default=None)

RETURN_KEY = "return_value"
"""The XCom key of what `execute` returns."""

SKIP_KEY = "skipmixin_key"
"""The XCom under which a task keeps what it decided to skip, as `{"followed": [...]}` or `{"skipped": [...]}`."""

#: Names that a callable may ask for by a parameter; the worker's context holds them when they have a value.
CONTEXT_KEYS = {
    "conn", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash", "exception",
    "expanded_ti_count", "inlet_events", "inlets", "logical_date", "macros", "map_index_template",
    "outlet_events", "outlets", "params", "partition_date", "partition_key", "prev_data_interval_end_success",
    "prev_data_interval_start_success", "prev_end_date_success", "prev_start_date_success", "reason",
    "run_id", "task", "task_instance", "task_instance_key_str", "task_reschedule_count", "task_state_store",
    "asset_state_store", "templates_dict", "test_mode", "ti", "triggering_asset_events", "try_number", "ts",
    "ts_nodash", "ts_nodash_with_tz", "var",
}  # fmt: skip


def context_merge(context: Context, *additions: Any, **more: Any) -> None:
    """Add to a context (Airflow's name)."""
    context.update(*additions, **more)


def get_current_context() -> Context:
    """The context of the task that is running. FlowletError outside of a running task."""
    attempt = CURRENT.get()
    if attempt is None:
        raise FlowletError(
            "get_current_context() was called outside of a running task: only code that a task runs has one"
        )
    return attempt.context
