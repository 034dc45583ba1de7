"""Airflow's names are flowlet's in these tests, and files are made of texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from flowlet.authoring.dag import DAG
from flowlet.registry.loading import Loaded, load_file


@pytest.fixture(autouse=True)
def airflow(airflow_names: None) -> None:
    """In all of this room."""


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
