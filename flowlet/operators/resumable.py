"""A job elsewhere that a retry finds again instead of submitting it twice (Airflow: sdk/bases/resumablejobmixin.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class ResumableJobMixin(ABC):
    """Beside BaseOperator, for an operator that submits one job and polls it: `execute` calls `execute_resumable`.

    The job's id is kept in the task's state store, under `external_id_key`, as soon as it is submitted. A later try asks
    how that job stands: it waits for one that is going on, takes the result of one that succeeded, and submits another
    only when it failed. A process that ends between the submission and the keeping submits twice. `durable=False` keeps
    nothing.
    """

    external_id_key: str = "remote_job_id"
    durable: bool = True

    def __init__(self, *, durable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.durable = durable

    def execute_resumable(self, context: Context) -> Any:
        """Submit the job or find it again, wait for its end, and give its result."""
        store = context["task_state_store"] if self.durable else None
        known = None if store is None else store.get(self.external_id_key)
        if known:
            status = self.get_job_status(known, context)
            if self.is_job_active(status):
                context["ti"].log.info("The job %s is %s: it is waited for", known, status)
                return self._follow(known, context)
            if self.is_job_succeeded(status):
                context["ti"].log.info("The job %s is %s already", known, status)
                return self.get_job_result(known, context)
            context["ti"].log.warning("The job %s is %s: another one is submitted", known, status)
        external_id = self.submit_job(context)
        if store is not None and external_id is not None:
            store.set(self.external_id_key, external_id)
        return self._follow(external_id, context)

    def _follow(self, external_id: Any, context: Context) -> Any:
        self.poll_until_complete(external_id, context)
        return self.get_job_result(external_id, context)

    @abstractmethod
    def submit_job(self, context: Context) -> Any:
        """Submit the job; gives its id, as JSON."""

    @abstractmethod
    def get_job_status(self, external_id: Any, context: Context) -> str:
        """How the job stands, in the words of where it runs."""

    @abstractmethod
    def is_job_active(self, status: str) -> bool:
        """It goes on."""

    @abstractmethod
    def is_job_succeeded(self, status: str) -> bool:
        """It succeeded."""

    @abstractmethod
    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Wait until it has ended; raise if it failed."""

    @abstractmethod
    def get_job_result(self, external_id: Any, context: Context) -> Any:
        """What the task gives in the end."""
