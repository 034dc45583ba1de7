"""What makes a description run: the one door from here up to the engine, which is imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.engine import DagRun


class Runnable:
    """A DAG that can be run in one call."""

    async def run(
        self,
        *,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | str | None = ...,  # type: ignore[assignment]  # now, which no value of its type says
        run_id: str | None = None,
        db: str | PathLike[str] = ":memory:",
        **options: Any,
    ) -> DagRun:
        """Run it once, now, in this process, and give the finished DagRun: `await dag.run(conf=...)`.

        Without `logical_date`: now; None: a run without one. In memory, or in the file `db`, which nobody else may
        own at that time. Other options are those of `Engine`. A failed run is given too, not raised. Raises
        RunExists, ParamError, StoreOwned.
        """
        from flowlet.engine import run_dag

        return await run_dag(cast("DAG", self), **_given(conf=conf, logical_date=logical_date, run_id=run_id, db=db), **options)

    def test(
        self,
        *,
        logical_date: datetime | str | None = ...,  # type: ignore[assignment]  # as in `run`
        run_conf: Mapping[str, Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        db: str | PathLike[str] = ":memory:",
        **options: Any,
    ) -> DagRun:
        """Run it once, blocking, without limits, its waits on a virtual clock, also inside a running loop: `dag.test()`.

        `run_conf` is Airflow's name for `conf`. In memory, or in the file `db`, whose earlier runs it sees and
        joins. Bodies and their execution_timeout take real time. Gives the finished DagRun; see `DagRun.as_dict`.
        """
        from flowlet.engine import test_dag

        conf = conf if conf is not None else run_conf
        return test_dag(cast("DAG", self), **_given(conf=conf, logical_date=logical_date, run_id=run_id, db=db), **options)


def _given(**values: Any) -> dict[str, Any]:
    """The arguments that were given."""
    return {name: value for name, value in values.items() if value is not ...}
