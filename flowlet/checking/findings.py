"""A finding: what is wrong, where, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.authoring import places
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.operator import BaseOperator

ERROR, WARNING, HINT = "error", "warning", "hint"


class Finding(NamedTuple):
    """One thing that is wrong, or may be."""

    level: str
    """error: it will not work; warning: it is most likely not meant; hint: it may be meant."""
    check: str
    """A word for the kind of finding."""
    file: str
    line: int
    dag: str | None
    task: str | None
    text: str
    way_out: str


def about_dag(level: str, check: str, dag: DAG, text: str, way_out: str) -> Finding:
    """A finding at the line of a DAG."""
    return Finding(level, check, dag.fileloc or "?", dag.line or 1, dag.dag_id, None, text, way_out)


def about_task(level: str, check: str, task: BaseOperator, text: str, way_out: str) -> Finding:
    """A finding at the line of a task."""
    dag, site = task.dag, task._site
    file, line = (dag.fileloc, dag.line) if site is None else (site[0].co_filename, places.line_of(site))
    return Finding(level, check, file or "?", line or 1, dag.dag_id, task.task_id, text, way_out)
