"""The errors of flowlet: one root, subclasses only where a caller would act differently.

A message names the thing, the place and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable


class FlowletError(Exception):
    """The root of everything that flowlet raises on purpose."""


# -- what the user wrote ----------------------------------------------------------------------------


class DagError(FlowletError):
    """A DAG cannot be built as written: raised while the DAG is being described."""


class DagCycle(DagError):
    """The edges of a DAG form a circle."""


class DuplicateTaskId(DagError):
    """Two tasks of one DAG carry the same id."""


class DuplicateDagId(DagError):
    """Two DAGs carry the same id; the message names both places."""


class TimetableError(DagError):
    """A schedule that cannot be understood, or that would never fire."""


class DagFileError(FlowletError):
    """Files of DAGs do not load. `errors` lists all that is wrong: (file, line, error class, text)."""

    def __init__(self, errors: Iterable[tuple[str, int, str, str]]) -> None:
        self.errors = list(errors)
        lines = (f"{file}:{line}: {kind}: {' '.join(text.split())}" for file, line, kind, text in self.errors)
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[DagFileError], tuple[object, ...]]:
        return type(self), (self.errors,)


class ParamError(FlowletError, ValueError):
    """A run's parameters do not satisfy their schema or have no value."""


class DagNotFound(FlowletError, LookupError):
    """No DAG of that id is registered."""


class RunNotFound(FlowletError, LookupError):
    """No run of that id is known."""


class TaskNotFound(FlowletError, LookupError):
    """No task of that id is in the DAG or the run."""


class PoolNotFound(FlowletError, LookupError):
    """No pool of that name exists."""


class XComNotFound(FlowletError, LookupError):
    """A task asked for a value that its upstream did not push."""


class XComForMappingNotPushed(FlowletError):
    """A task over which others are mapped returned nothing (Airflow's name)."""


class UnmappableXComTypePushed(FlowletError, TypeError):
    """A task over which others are mapped returned what is no collection (Airflow's name)."""


class UnmappableXComLengthPushed(FlowletError, ValueError):
    """A task over which others are mapped returned too many items (Airflow's name)."""


class ConnectionNotFound(FlowletError, LookupError):
    """No connection of that id is set."""


class VariableNotFound(FlowletError, KeyError):
    """No variable of that name is set."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # a KeyError would show the sentence in quotes


class RunExists(FlowletError):
    """That run_id or logical date is taken by another run of the DAG."""


class BackfillError(FlowletError, ValueError):
    """A backfill that cannot be: the DAG has no dates to fill, or the window or the options do not fit it."""


class BackfillExists(BackfillError):
    """Another backfill of the DAG is going on."""


class BackfillNotFound(FlowletError, LookupError):
    """No backfill of that number is on file."""


# -- what a task may raise ---------------------------------------------------------------------------


class SkipTask(FlowletError):
    """Raised by a task: end as `skipped`, without a retry (Airflow: AirflowSkipException)."""


class FailTask(FlowletError):
    """Raised by a task: fail now, whatever retries are left (Airflow: AirflowFailException)."""


class TaskTimeout(FlowletError):
    """An attempt ran longer than its `execution_timeout`."""


class SensorTimeout(FlowletError):
    """A sensor did not see what it waits for within its `timeout`; not retried."""


class TaskDeferralError(FlowletError):
    """What a deferred task waited for failed (Airflow's name)."""


class TaskDeferralTimeout(FlowletError):
    """What a deferred task waited for did not come in time (Airflow's name)."""


class HITLTimeoutError(FlowletError):
    """Nobody answered a task that asks a person in time, and it has no defaults (Airflow's name)."""


class HITLRejectException(FlowletError):
    """What a task asked to be approved was rejected (Airflow's name)."""


class PokeAgain(FlowletError):
    """Raised by a sensor that does not see yet what it waits for: it is executed again later."""


class StateStoreError(FlowletError, ValueError):
    """Something that cannot be kept in a state store."""


class XComError(FlowletError, ValueError):
    """A value cannot be kept as an XCom; the message names the type or the limit."""


class XComTypeError(XComError, TypeError):
    """A task with `multiple_outputs` returned what is no dict with str keys (a TypeError, as in Airflow)."""


# -- the file ----------------------------------------------------------------------------------------


class StoreError(FlowletError):
    """The database file cannot be used as asked."""


class StoreOwned(StoreError):
    """Another scheduler owns the file."""

    def __init__(self, path: str, pid: int | None, host: str | None, since: str | None) -> None:
        self.path, self.pid, self.host, self.since = path, pid, host, since
        super().__init__(
            f"{path} is owned by process {pid} on {host} since {since}: one scheduler per file."
            " Stop that process, or use another file (--db)."
        )

    def __reduce__(self) -> tuple[type[StoreOwned], tuple[object, ...]]:
        return type(self), (self.path, self.pid, self.host, self.since)


class StoreLost(StoreError):
    """This process no longer owns the file, or the file was replaced: nothing more is written."""


class StoreUnfit(StoreError):
    """The file is not flowlet's, is damaged, is empty where it was not, or is of a newer version."""


class StoreUnavailable(StoreError):
    """The file cannot be written now. Nothing is lost: commit the same moves again, a little later."""


class StoreBusy(StoreUnavailable):
    """Another program holds a lock on the file, or interrupted the statement."""


class StoreFull(StoreUnavailable):
    """The disk, the quota or the largest allowed size of the file is used up."""


class StoreReadOnly(StoreUnavailable):
    """The file or its file system does not let itself be written."""


class StoreFaulty(StoreUnavailable):
    """The device or the file system reported an error; the next commit opens the file anew and checks it."""


class EngineClosed(FlowletError):
    """The engine is not running (not entered yet, or stopped)."""
