"""What processes that an attempt starts find in their environment; never in this process's own."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flowlet.worker.task_instance import RuntimeTaskInstance

#: The variable by which leftovers of a killed engine are found: `<marker of the engine>/<its life>`.
MARKER: Final = "FLOWLET_ATTEMPT"


@cache
def life() -> str:
    """This life of this process. A process number alone comes back, after a restart even as the same."""
    return f"{os.getpid()}.{os.urandom(4).hex()}"


def subprocess_env(ti: RuntimeTaskInstance, marker: str) -> dict[str, str]:
    """AIRFLOW_CTX_* (Airflow: sdk/execution_time/context.py) and, under an engine, the marker."""
    logical_date = ti.logical_date
    env = {
        "AIRFLOW_CTX_DAG_OWNER": ti.task.owner,
        "AIRFLOW_CTX_DAG_ID": ti.dag_id,
        "AIRFLOW_CTX_TASK_ID": ti.task_id,
        "AIRFLOW_CTX_LOGICAL_DATE": "" if logical_date is None else logical_date.isoformat(),
        "AIRFLOW_CTX_TRY_NUMBER": str(ti.try_number),
        "AIRFLOW_CTX_DAG_RUN_ID": ti.run_id,
        "AIRFLOW_CTX_DAG_EMAIL": _addresses(ti.task.email),
        MARKER: f"{marker}/{life()}" if marker else "",
    }
    return {name: value for name, value in env.items() if value and "\0" not in value}


def context_to_airflow_vars(context: Any, in_env_var_format: bool = False) -> dict[str, str]:
    """What says whose a process is: `AIRFLOW_CTX_DAG_ID` and so on, or `airflow.ctx.dag_id` (Airflow's name)."""
    found = {name: value for name, value in subprocess_env(context["ti"], "").items() if name != MARKER}
    if in_env_var_format:
        return found
    return {f"airflow.ctx.{name.removeprefix('AIRFLOW_CTX_').lower()}": value for name, value in found.items()}


def _addresses(email: object) -> str:
    if isinstance(email, str):
        return email
    return ",".join(map(str, email)) if isinstance(email, (list, tuple, set)) else ""
