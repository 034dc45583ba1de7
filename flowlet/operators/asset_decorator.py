"""`@asset`: a function that makes an asset, and the DAG of one task that runs it.

Airflow: sdk/definitions/asset/decorators.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from flowlet.authoring.assets import Asset, AssetAll, BaseAsset
from flowlet.authoring.calls import signature_of
from flowlet.authoring.dag import DAG
from flowlet.authoring.places import here, spell
from flowlet.authoring.taskflow import TaskFunction
from flowlet.errors import DagError
from flowlet.operators.python import PythonOperator

_OWN = frozenset({"self", "context", "outlet_events"})


class AssetFunction(PythonOperator):
    """Calls the function: `self` is its asset, `context` the context, any other parameter an asset of that name."""

    custom_operator_name: ClassVar = "@asset"

    def __init__(self, *, made: BaseAsset, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._made = made

    def determine_kwargs(self, context: Any) -> Mapping[str, Any]:
        signature = signature_of(self.python_callable)
        known = {"self": self._made, "context": context, "outlet_events": context.get("outlet_events")}
        return {name: known.get(name) or Asset(name) for name in signature.names if name not in signature.defaults}


class AssetDecorator:
    """`@asset(schedule=..., uri=...)`; the function's name is that of the asset, of its task and of its DAG."""

    def __call__(
        self,
        *,
        schedule: Any,
        name: str | None = None,
        uri: str | None = None,
        group: str = "asset",
        extra: dict[str, Any] | None = None,
        watchers: Collection[Any] | None = None,
        **dag: Any,
    ) -> Callable[[Callable[..., Any]], Asset]:
        def decorate(function: Callable[..., Any]) -> Asset:
            made = Asset(name or function.__name__, uri, group=group, extra=extra, watchers=watchers)
            _describe(function, made, [made], **{"dag_id": made.name, "schedule": schedule, **dag})
            return made

        return decorate

    @staticmethod
    def multi(
        *, schedule: Any, outlets: Collection[BaseAsset], **dag: Any
    ) -> Callable[[Callable[..., Any]], AssetAll]:
        """Several assets made by one function."""

        def decorate(function: Callable[..., Any]) -> AssetAll:
            if not outlets:
                raise DagError(f"@asset.multi needs outlets ({spell(here())})")
            made = AssetAll(*outlets)
            _describe(function, made, list(outlets), **{"dag_id": function.__name__, "schedule": schedule, **dag})
            return made

        return decorate


def _describe(function: Any, made: BaseAsset, outlets: list[BaseAsset], *, dag_id: str, **arguments: Any) -> None:
    """The DAG of one task."""
    arguments = {"dag_id": dag_id, **{name: value for name, value in arguments.items() if value is not None}}
    with DAG(catchup=False, **arguments):
        if isinstance(function, TaskFunction):
            function.override(outlets=outlets)()
            return
        signature = signature_of(function)
        read = [name for name in signature.names if name not in _OWN and name not in signature.defaults]
        AssetFunction(
            task_id=function.__name__,
            python_callable=function,
            made=made,
            inlets=[Asset.ref(name=name) for name in read],
            outlets=outlets,
        )


asset = AssetDecorator()
