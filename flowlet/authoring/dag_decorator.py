"""`@dag`: a function that describes a DAG when it is called (Airflow: sdk/definitions/dag.py `dag`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, overload

from flowlet.authoring import places
from flowlet.authoring.calls import signature_of
from flowlet.authoring.dag import DAG
from flowlet.errors import DagError

P = ParamSpec("P")


@overload
def dag(dag_id_or_func: Callable[P, Any], /) -> Callable[P, DAG]: ...
@overload
def dag(dag_id_or_func: str | None = None, /, **arguments: Any) -> Callable[[Callable[P, Any]], Callable[P, DAG]]: ...
def dag(dag_id_or_func: Any = None, /, **arguments: Any) -> Any:
    """Make a function a factory of DAGs: `@dag` or `@dag("id", schedule=...)`, then call it.

    The id is the function's name unless given, its docstring the DAG's doc_md. The function's arguments
    become params of the DAG, with their defaults; what the function gets stands for the run's values.
    """
    if callable(dag_id_or_func):
        return _factory(dag_id_or_func, arguments)
    if dag_id_or_func:
        arguments = {"dag_id": dag_id_or_func, **arguments}
    return lambda function: _factory(function, arguments)


def _factory(function: Callable[..., Any], arguments: dict[str, Any]) -> Callable[..., DAG]:
    @functools.wraps(function)
    def build(*args: Any, **kwargs: Any) -> DAG:
        given = _bind(function, args, kwargs)
        built = DAG(**{"dag_id": function.__name__, "doc_md": function.__doc__, **arguments})
        with built:
            function(**{name: built.param(name, value) for name, value in given.items()})
        return built

    return build


def _bind(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Every parameter of the function with the value that it is given, or else its default."""
    signature = signature_of(function)
    complaint = signature.complaint(args, kwargs, frozenset())
    if complaint is not None:
        raise DagError(
            f"the @dag function {function.__name__!r} cannot be called so: {complaint}"
            f" ({places.spell(places.here())})"
        )
    return {**signature.defaults, **dict(zip(signature.positional, args, strict=False)), **kwargs}
