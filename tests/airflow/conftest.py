"""Airflow's names are flowlet's for the length of a test, and what that changes is undone afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from flowlet.authoring import spellings
from flowlet.authoring.context import CONTEXT_KEYS
from flowlet.authoring.dag import DAG
from flowlet.clock import from_micros
from flowlet.registry.loading import Loaded, load_file


@pytest.fixture(autouse=True)
def airflow() -> Iterator[None]:
    from flowlet.airflow import finder

    path, keys = list(sys.meta_path), set(CONTEXT_KEYS)
    finder.install()
    yield
    sys.meta_path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("airflow", "pendulum")]:
        del sys.modules[name]
    for table in (spellings.DAG_ARGUMENTS, spellings.TASK_ARGUMENTS, spellings.TRIGGER_RULES, spellings.CONTEXT):
        table.clear()
    CONTEXT_KEYS.intersection_update(keys)
    spellings.show_moments_by(from_micros)


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Loaded]:
    """Loads a file of this text."""

    def load(text: str, name: str = "dags.py") -> Loaded:
        path = tmp_path / name
        path.write_text(dedent(text))
        return load_file(path)

    return load


@pytest.fixture
def dag_of(load: Callable[[str], Loaded]) -> Callable[[str], DAG]:
    """The one DAG of a file of this text."""

    def dag_of(text: str) -> DAG:
        loaded = load(text)
        assert loaded.problems == ()
        (dag,) = loaded.dags
        return dag

    return dag_of


@pytest.fixture
def problem_of(load: Callable[[str], Loaded]) -> Callable[[str], str]:
    """Why a file of this text does not load, without the place in front."""

    def problem_of(text: str) -> str:
        (problem,) = load(text).problems
        return f"line {problem.line}: {problem.kind}: {problem.text}"

    return problem_of
