"""What processes that an attempt starts find in their environment; never in this process's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlet.worker.task_instance import RuntimeTaskInstance

#: The variable by which leftovers of a killed engine are found.
MARKER = "FLOWLET_ATTEMPT"


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
    }
    email = ti.task.email
    if email:
        env["AIRFLOW_CTX_DAG_EMAIL"] = email if isinstance(email, str) else ",".join(email)
    if marker:
        env[MARKER] = f"{marker}/{os.getpid()}"
    return {name: value for name, value in env.items() if value and "\0" not in value}
