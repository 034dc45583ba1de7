"""Files of DAGs, loaded for a program or a command: `flowlet.load`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from flowlet import settings
from flowlet.errors import DagFileError, DuplicateDagId
from flowlet.registry.loading import Loaded, Problem, load_file
from flowlet.registry.registry import Registry

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG


def load(*paths: str | os.PathLike[str]) -> dict[str, DAG]:
    """The DAGs of these files by id, as Airflow or flowlet files describe them: `load("etl.py")["etl"].test()`.

    DagFileError tells of everything that is wrong with any of them. A file has FLOWLET__CORE__DAGBAG_IMPORT_TIMEOUT
    seconds (30) where an alarm can be set: on the main thread of a Unix process. Where the real Airflow is
    loaded, `import airflow` goes on meaning that.
    """
    dags, problems = load_all(paths)
    if problems:
        raise DagFileError(problems)
    return {dag.dag_id: dag for dag in dags}


def load_all(paths: tuple[str | os.PathLike[str], ...]) -> tuple[list[DAG], list[Problem]]:
    """Those DAGs that can be had, and what is wrong with files, or with an id that two of them give."""
    registry, problems = Registry(), []
    for path in paths:
        loaded = read(path)
        problems += [*loaded.problems, *register(loaded, registry)]
    return [entry.dag for entry in registry.list_()], problems


def register(loaded: Loaded, registry: Registry) -> list[Problem]:
    """Enter the DAGs of a file; what is wrong with their ids."""
    problems = []
    for dag in loaded.dags:
        try:
            registry.add(dag)
        except DuplicateDagId as error:
            problems.append(Problem(loaded.file, dag.line or 1, "DuplicateDagId", str(error)))
    return problems


def read(path: str | os.PathLike[str]) -> Loaded:
    """One file: its DAGs or its problems, in which no secret is told."""
    from flowlet.worker.secrets import SECRETS

    understand_airflow()
    timeout = settings.get_float("core", "dagbag_import_timeout", 30.0, at_least=0)
    loaded = load_file(path, timeout=timeout)
    problems = [problem._replace(text=SECRETS.mask(problem.text)) for problem in loaded.problems]
    return loaded._replace(problems=tuple(problems), warnings=tuple(map(SECRETS.mask, loaded.warnings)))


def understand_airflow() -> None:
    """From now on `import airflow` means flowlet in this process, for files and for what their bodies import."""
    if "airflow" not in sys.modules:
        import_module("flowlet.airflow").install()  # by its name: a face, which is above
