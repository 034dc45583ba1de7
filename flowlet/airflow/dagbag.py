"""`DagBag`: the DAGs of a folder, as people's tests load them (Airflow: dag_processing/dagbag.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlet.airflow.configuration import conf
from flowlet.engine.loading import load_all

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG


class DagBag:
    """Loads a file, or what a folder holds; what is wrong is kept by file in `import_errors`."""

    def __init__(self, dag_folder: str | os.PathLike[str] | None = None, include_examples: bool = False, **_: Any) -> None:
        self.dag_folder = dag_folder or conf.get("core", "dags_folder")
        self.include_examples = include_examples
        self.dags: dict[str, DAG] = {}
        self.import_errors: dict[str, str] = {}
        self.collect_dags(self.dag_folder)

    def collect_dags(self, dag_folder: str | os.PathLike[str] | None = None, **_: Any) -> None:
        """Load what is there, too."""
        from flowlet.checking.whole import files_of

        path = Path(self.dag_folder if dag_folder is None else dag_folder)
        self._load([str(file) for file in files_of(path)], in_folder=path.is_dir())

    def process_file(self, filepath: str, only_if_updated: bool = True, safe_mode: bool = True) -> list[DAG]:  # noqa: ARG002  Airflow's
        """Load one file; gives its DAGs."""
        return self._load([filepath], in_folder=False)

    def _load(self, files: list[str], *, in_folder: bool) -> list[DAG]:
        dags, problems = load_all(tuple(files))
        self.dags |= {dag.dag_id: dag for dag in dags}
        for problem in problems:
            if not (in_folder and problem.kind == "NoDag"):  # a module that others import
                before = self.import_errors.get(problem.file)
                text = f"{problem.kind}: {problem.text} (line {problem.line})"
                self.import_errors[problem.file] = text if before is None else f"{before}\n{text}"
        return dags

    def get_dag(self, dag_id: str, **_: Any) -> DAG | None:
        """The DAG of that id, or None."""
        return self.dags.get(dag_id)

    @property
    def dag_ids(self) -> list[str]:
        """The ids, in order of the alphabet."""
        return sorted(self.dags)

    def size(self) -> int:
        """How many DAGs there are."""
        return len(self.dags)
