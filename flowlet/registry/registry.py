"""The DAGs that this process knows."""

from __future__ import annotations

from flowlet.authoring.dag import DAG
from flowlet.authoring.spec import DagSpec
from flowlet.errors import DagNotFound, DuplicateDagId
from flowlet.named_tuple import NamedTuple


class Registered(NamedTuple):
    """A DAG, the DAG as data, and `file:line` of its definition."""

    dag: DAG
    spec: DagSpec
    place: str


class Registry:
    """dag_id to DAG, in memory."""

    def __init__(self) -> None:
        self._registered: dict[str, Registered] = {}

    def add(self, dag: DAG) -> Registered:
        """Enter a DAG, or replace the one of its id that comes from the same file.

        DuplicateDagId, which names both places, if the id is another file's. Cells typed into a shell or a
        notebook count as one file: running a cell again replaces its DAG.
        """
        spec = dag.spec
        before = self._registered.get(spec.dag_id)
        if before is not None and before.dag is not dag and not _same_origin(before.spec, spec):
            raise DuplicateDagId(
                f"the DAG id {spec.dag_id!r} is taken: first at {before.place}, again at {place_of(spec)}."
                " Give one of them another dag_id."
            )
        entry = Registered(dag, spec, place_of(spec))
        self._registered[spec.dag_id] = entry
        return entry

    def get(self, dag_id: str) -> Registered:
        """The DAG of that id; DagNotFound names the nearest."""
        try:
            return self._registered[dag_id]
        except KeyError:
            raise DagNotFound(unknown_dag(dag_id, list(self._registered))) from None

    def find(self, dag_id: str) -> Registered | None:
        """The DAG of that id, or None."""
        return self._registered.get(dag_id)

    def remove(self, dag_id: str) -> None:
        """Forget a DAG."""
        self._registered.pop(dag_id, None)

    def list_(self) -> list[Registered]:
        """All, in the order in which they were first added."""
        return list(self._registered.values())

    def __contains__(self, dag_id: object) -> bool:
        return dag_id in self._registered

    def __len__(self) -> int:
        return len(self._registered)


def place_of(spec: DagSpec) -> str:
    """Where a DAG was written, as editors and terminals read it."""
    if spec.file is None:
        return "an unknown place"
    return spec.file if spec.line is None else f"{spec.file}:{spec.line}"


def unknown_dag(dag_id: str, known: list[str]) -> str:
    """The sentence for an id that no DAG has."""
    from flowlet.authoring.places import nearest

    if not known:
        return f"no DAG {dag_id!r}: there are none"
    hint = nearest(dag_id, known) or (f" (there is {', '.join(map(repr, known))})" if len(known) <= 5 else "")
    return f"no DAG {dag_id!r}{hint}"


def _same_origin(one: DagSpec, other: DagSpec) -> bool:
    return one.file == other.file or (_is_typed_in(one.file) and _is_typed_in(other.file))


def _is_typed_in(file: str | None) -> bool:
    """Not from a file: `<stdin>`, `<string>`, or a notebook's cell, each run of which has its own name."""
    return file is None or file.startswith("<") or "ipykernel_" in file
