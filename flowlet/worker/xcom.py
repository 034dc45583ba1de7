"""`XCom`: values of tasks by name, for code that runs in an attempt (Airflow: sdk/bases/xcom.py)."""

from __future__ import annotations

from typing import Any

from flowlet.authoring.context import RETURN_KEY, get_current_context
from flowlet.errors import FlowletError


class XCom:
    """Reads what tasks pushed; an attempt can push its own values only, with `ti.xcom_push`."""

    XCOM_RETURN_KEY = RETURN_KEY

    @classmethod
    def get_one(
        cls, *, key: str = RETURN_KEY, dag_id: str | None = None, task_id: str | None = None, run_id: str | None = None,
        map_index: int | None = None, include_prior_dates: bool = False,
    ) -> Any:  # fmt: skip
        """The value, or None."""
        indexes = None if map_index is None or map_index < 0 else map_index
        return _ti().xcom_pull(
            task_ids=task_id, dag_id=dag_id, key=key, include_prior_dates=include_prior_dates, map_indexes=indexes, run_id=run_id
        )

    @classmethod
    def get_value(cls, *, ti_key: Any, key: str) -> Any:
        """The value that the task instance of that key pushed, or None."""
        return cls.get_one(
            key=key, dag_id=ti_key.dag_id, task_id=ti_key.task_id, run_id=ti_key.run_id, map_index=ti_key.map_index
        )

    @classmethod
    def get_all(cls, *, key: str, dag_id: str, task_id: str, run_id: str, **_: Any) -> list[Any]:
        """The values of all instances of a task."""
        found = _ti().xcom_pull(task_ids=[task_id], dag_id=dag_id, key=key, run_id=run_id)
        return [value for value in found if value is not None]

    @classmethod
    def set(cls, key: str, value: Any, *, task_id: str, **_: Any) -> None:
        """Push for the running task. FlowletError for another one's."""
        ti = _ti()
        if task_id != ti.task_id:
            raise FlowletError(f"XCom.set: task {ti.task_id!r} can push values of its own only, not of {task_id!r}")
        ti.xcom_push(key, value)


def _ti() -> Any:
    return get_current_context()["ti"]
