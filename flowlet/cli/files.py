"""The user's files of DAGs, loaded for a command that owns its process."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from flowlet.cli import exits
from flowlet.cli.exits import CommandError
from flowlet.errors import DagFileError

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.registry.loading import Loaded


def load(path: str) -> Loaded:
    """The DAGs or problems of one file. Its folder stays importable for what its bodies import later."""
    loaded = read(path)
    folder = str(Path(loaded.file).parent)
    if loaded.dags and folder not in sys.path:
        sys.path.append(folder)
    for warning in loaded.warnings:
        print(f"flowlet: warning: {' '.join(warning.split())}", file=sys.stderr)
    return loaded


def read(path: str) -> Loaded:
    """The same, with nothing said of warnings, and nothing left behind."""
    from flowlet.engine import loading

    with redirect_stdout(sys.stderr):  # standard output is for the command's result
        loaded = loading.read(path)
    for problem in loaded.problems:
        if problem.kind == "KeyboardInterrupt":
            raise CommandError(str(problem), exits.INTERRUPTED)
    return loaded


def dag_of(path: str, dag_id: str | None) -> DAG:
    """The DAG of that id in the file; without an id, the only one."""
    loaded = load(path)
    if loaded.problems:
        raise DagFileError(loaded.problems)
    known = {dag.dag_id: dag for dag in loaded.dags}
    if dag_id is None and len(known) == 1:
        return loaded.dags[0]
    if dag_id in known:
        return known[dag_id]
    if dag_id is None:
        raise CommandError(f"{path} has {len(known)} DAGs: name one of {', '.join(known)}")
    from flowlet.registry.registry import unknown_dag

    raise CommandError(f"{unknown_dag(dag_id, list(known))} in {path}", kind="DagNotFound")

