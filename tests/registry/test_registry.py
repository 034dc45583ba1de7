"""Which DAGs are known, and what an id that is taken or unknown says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowlet.authoring.dag import DAG
from flowlet.errors import DagNotFound, DuplicateDagId
from flowlet.registry.loading import load_file
from flowlet.registry.registry import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()


def dag_in(file: Path, dag_id: str = "etl") -> DAG:
    file.write_text(f"from flowlet.authoring.dag import DAG\n\ndag = DAG({dag_id!r})\n")
    (dag,) = load_file(file).dags
    return dag


def test_a_dag_is_kept_with_its_spec_and_place(registry: Registry, tmp_path: Path) -> None:
    dag = dag_in(tmp_path / "a.py")

    entry = registry.add(dag)

    assert registry.get("etl") is entry
    assert entry == (dag, dag.spec, f"{tmp_path}/a.py:3")
    assert registry.list_() == [entry]
    assert "etl" in registry
    assert len(registry) == 1


def test_the_same_id_in_another_file_names_both_places(registry: Registry, tmp_path: Path) -> None:
    first = registry.add(dag_in(tmp_path / "a.py"))

    with pytest.raises(DuplicateDagId, match=f"first at {tmp_path}/a.py:3, again at {tmp_path}/b.py:3"):
        registry.add(dag_in(tmp_path / "b.py"))

    assert registry.get("etl") is first


def test_the_same_file_again_replaces(registry: Registry, tmp_path: Path) -> None:
    registry.add(dag_in(tmp_path / "a.py"))
    later = dag_in(tmp_path / "a.py")

    registry.add(later)

    assert [entry.dag for entry in registry.list_()] == [later]


def test_the_same_object_again_is_no_duplicate(registry: Registry) -> None:
    dag = DAG("etl")

    assert registry.add(dag) == registry.add(dag)


def test_a_cell_that_runs_again_replaces_its_dag(registry: Registry) -> None:
    for cell in ("/tmp/ipykernel_7/1.py", "/tmp/ipykernel_7/2.py", "<stdin>"):
        names: dict[str, DAG] = {}
        exec(compile("from flowlet.authoring.dag import DAG\ndag = DAG('etl')", cell, "exec"), names)
        registry.add(names["dag"])

    assert registry.get("etl").place == "<stdin>:2"


def test_an_unknown_id_names_the_nearest(registry: Registry) -> None:
    with pytest.raises(DagNotFound, match="there are none"):
        registry.get("etl")
    registry.add(DAG("weather"))

    with pytest.raises(DagNotFound, match=r"no DAG 'wether' \(did you mean 'weather'\?\)"):
        registry.get("wether")
    with pytest.raises(DagNotFound, match=r"no DAG 'x' \(there is 'weather'\)"):
        registry.get("x")


def test_a_removed_dag_is_forgotten(registry: Registry) -> None:
    registry.add(DAG("etl"))

    registry.remove("etl")
    registry.remove("etl")

    assert registry.find("etl") is None
