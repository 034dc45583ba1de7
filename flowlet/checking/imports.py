"""What files import: where their modules are looked for, and what is said where one is not installed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flowlet.authoring.places import nearest
from flowlet.checking.findings import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from flowlet.registry.loading import Problem

_MODULE = re.compile(r"No module named '([\w.]+)'")
_PROVIDER = re.compile(r"(apache-airflow-providers-[\w-]+), which is not installed")


@contextmanager
def importable(folders: Sequence[Path], files: Sequence[Path]) -> Iterator[None]:
    """The folders to check, and those that hold the packages of the files, are on `sys.path`, as in the scheduler and as in pytest."""
    roots = [*folders, *(root for root in map(_root, dict.fromkeys(file.parent for file in files)) if root is not None)]
    before = list(sys.path)
    sys.path += [str(root) for root in dict.fromkeys(roots) if str(root) not in before]
    try:
        yield
    finally:
        sys.path[:] = before


def _root(folder: Path) -> Path | None:
    """The folder that holds the outermost package of a file; None if the file is in no package."""
    if not (folder / "__init__.py").is_file():
        return None
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder


def about_problem(problem: Problem) -> Finding:
    """Why a file gave no DAGs. What only is not installed here is no defect of the file: it could not be looked at."""
    missing = _missing(problem)
    if missing is None:
        return Finding(
            ERROR, "loading", problem.file, problem.line, None, None, f"{problem.kind}: {problem.text}",
            "the file gives no DAGs until this is mended",
        )  # fmt: skip
    return Finding(
        WARNING, "not-checked", problem.file, problem.line, None, None,
        f"could not be looked at: {problem.text}", f"install {missing}, then check again",
    )  # fmt: skip


def _missing(problem: Problem) -> str | None:
    """The package that would have to be installed; None if the fault is the file's own."""
    if provider := _PROVIDER.search(problem.text):
        return provider[1]
    if problem.kind == "SettingError":
        return "what has this setting, or set it"
    module = _MODULE.match(problem.text)
    if problem.kind != "ModuleNotFoundError" or module is None or _is_misspelt(module[1], Path(problem.file).parent):
        return None
    return f"what brings the module {module[1].partition('.')[0]!r}"


def _is_misspelt(module: str, folder: Path) -> bool:
    """It is nearly, or as a package wholly, the name of a module that is there."""
    first, dot, _ = module.partition(".")
    beside = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return (bool(dot) and first in beside | sys.stdlib_module_names) or bool(nearest(first, beside))
