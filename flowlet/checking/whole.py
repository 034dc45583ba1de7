"""Files and folders, loaded and looked at by all checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowlet.checking.bodies import check_bodies
from flowlet.checking.branches import check_branches
from flowlet.checking.dags import check_dag
from flowlet.checking.findings import ERROR, HINT, WARNING, Finding
from flowlet.checking.imports import about_problem, importable
from flowlet.checking.reach import check_reach
from flowlet.checking.references import check_references
from flowlet.checking.sensors import check_dates
from flowlet.checking.sources import check_source, tells_of_dags
from flowlet.checking.templates import check_templates
from flowlet.checking.xcoms import check_xcoms
from flowlet.named_tuple import NamedTuple
from flowlet.registry.source import UnreadableError, read_source

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.registry.loading import Loaded

_LEVELS = (ERROR, WARNING, HINT)
_WARNED = re.compile(r"(.*):(\d+): (\w+): (.*)", re.DOTALL)


class Report(NamedTuple):
    """What was looked at, and what was found."""

    files: int
    dags: int
    findings: list[Finding]

    @property
    def is_sound(self) -> bool:
        """Nothing was found that will not work."""
        return all(finding.level != ERROR for finding in self.findings)


def check(
    paths: Sequence[str], load: Callable[[str], Loaded], *, now: int, pools: Container[str] = (), left_out: Container[str] = ()
) -> Report:
    """Look at everything, but files to leave out. `load` executes a file; of a folder, those files that tell of DAGs."""
    files = [file for file in dict.fromkeys(file for path in paths for file in files_of(Path(path))) if str(file) not in left_out]
    folders = [Path(path).absolute() for path in paths if Path(path).is_dir()]
    with importable(folders, files):
        loaded = [load(str(file)) for file in files]
    findings = [finding for one in loaded for finding in _of_file(one, in_folder=bool(folders))]
    dags = [dag for one in loaded for dag in one.dags]
    for dag in dags:
        findings += [*check_dag(dag, now, pools), *check_reach(dag), *check_branches(dag),
                     *check_templates(dag), *check_xcoms(dag)]  # fmt: skip
    findings += [*_taken_ids(dags), *check_dates(dags, now), *check_bodies(dags)]
    all_known = bool(folders) and not left_out and not any(finding.check in {"loading", "not-checked"} for finding in findings)
    findings += check_references(dags, all_known=all_known)  # a file that does not load may define what others name
    return Report(len(files), len(dags), sorted(_placed(findings, dags), key=_order))


def files_of(path: Path) -> Iterator[Path]:
    """A file; of a folder, the files that tell of DAGs."""
    if not path.is_dir():
        yield path.absolute()
        return
    for file in sorted(path.absolute().rglob("*.py")):
        parts = file.relative_to(path.absolute()).parts
        is_apart = any(part.startswith(".") or part in {"__pycache__", "site-packages"} for part in parts)
        if not is_apart and tells_of_dags(file):
            yield file


def _of_file(loaded: Loaded, *, in_folder: bool) -> Iterator[Finding]:
    for problem in loaded.problems:
        if in_folder and problem.kind == "NoDag":
            return  # a module that others import
        yield about_problem(problem)
    for text in loaded.warnings:
        warned = _WARNED.match(text)
        if warned is not None and warned[1] == loaded.file and warned[3] == "UserWarning":
            yield Finding(WARNING, "warning", loaded.file, int(warned[2]), None, None, warned[4], "see the text")
    try:
        source = read_source(Path(loaded.file))
    except UnreadableError:
        return  # loading it said so
    yield from check_source(loaded.file, source)


def _taken_ids(dags: Sequence[DAG]) -> Iterator[Finding]:
    """Two files, one id: the scheduler refuses the second."""
    first: dict[str, DAG] = {}
    for dag in dags:
        other = first.setdefault(dag.dag_id, dag)
        if other.fileloc != dag.fileloc:
            yield Finding(
                ERROR, "dag-id", dag.fileloc or "?", dag.line or 1, dag.dag_id, None,
                f"the id is taken by {other.fileloc}:{other.line}", "give one of them another dag_id",
            )  # fmt: skip


def _placed(findings: Sequence[Finding], dags: Sequence[DAG]) -> Iterator[Finding]:
    """What the text of a file tells is told of its DAG, if it has one only."""
    by_file: dict[str | None, list[DAG]] = {}
    for dag in dags:
        by_file.setdefault(dag.fileloc, []).append(dag)
    for finding in findings:
        here = by_file.get(finding.file, [])
        yield finding._replace(dag=here[0].dag_id) if finding.dag is None and len(here) == 1 else finding


def _order(finding: Finding) -> tuple[str, int, int]:
    return finding.file, finding.line, _LEVELS.index(finding.level)
