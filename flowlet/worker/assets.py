"""What a body says of the assets that it wrote, and sees of those that it reads.

Events live in memory with their run, in this version: `run.as_dict()` shows them, other runs do not see them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowlet.authoring.assets import Asset, AssetAlias, AssetRef, Metadata
from flowlet.errors import FlowletError
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.workload import RunFacts

EVENTS = "asset_events"
"""Where a run's events are kept in its facts' cache."""


class AssetEvent(NamedTuple):
    """An asset was written by a task of this run."""

    asset: Asset
    extra: dict[str, Any]
    source_dag_id: str
    source_run_id: str
    source_task_id: str
    source_map_index: int

    @property
    def uri(self) -> str:
        return self.asset.uri


class OutletEvent:
    """What will be said of one outlet: set `extra`; `add(asset)` what an alias turned out to be."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[Asset, dict[str, Any]]] = []

    def add(self, asset: Asset, extra: dict[str, Any] | None = None) -> None:
        """The alias stands for this asset, which was written."""
        self.added.append((asset, dict(extra or {})))


class OutletEvents:
    """`outlet_events`: by asset, alias, or reference."""

    def __init__(self, outlets: Any) -> None:
        self._outlets = outlets
        self._events: dict[Any, OutletEvent] = {}

    def __getitem__(self, key: Any) -> OutletEvent:
        if not isinstance(key, (Asset, AssetAlias, AssetRef)):
            raise KeyError(f"outlet_events is asked by an asset, an alias or a reference, not by {key!r}")
        return self._events.setdefault(key, OutletEvent())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._outlets)

    def __len__(self) -> int:
        return len(self._outlets)

    def take(self, metadata: Metadata) -> None:
        """What a task yielded."""
        if metadata.alias is not None:
            alias = AssetAlias(metadata.alias) if isinstance(metadata.alias, str) else metadata.alias
            self[alias].add(metadata.asset, metadata.extra)
        else:
            self[metadata.asset].extra.update(metadata.extra)


class InletEvents:
    """`inlet_events`: what tasks of this run wrote of an asset so far, the oldest first."""

    def __init__(self, run: RunFacts) -> None:
        self._run = run

    def __getitem__(self, key: Any) -> list[AssetEvent]:
        events: list[tuple[AssetEvent, str | None]] = self._run.cache.get(EVENTS, [])
        return [event for event, alias in events if _means(key, event, alias)]


def behind_alias(run: RunFacts, alias: AssetAlias) -> Iterator[Asset]:
    """The assets that it stood for in this run so far."""
    return (event.asset for event, name in run.cache.get(EVENTS, ()) if name == alias.name)


def _means(key: Any, event: AssetEvent, alias: str | None) -> bool:
    if isinstance(key, AssetAlias):
        return key.name == alias
    return key.names(event.asset) if isinstance(key, AssetRef) else key == event.asset


def record(task: BaseOperator, ti: Any, run: RunFacts, said: OutletEvents) -> None:
    """The attempt succeeded: each outlet has an event (Airflow: assets/manager.py). FlowletError: extra is no JSON."""
    events = list(_events(task, ti, said))
    for event, _ in events:
        try:
            json.dumps(event.extra, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise FlowletError(f"the extra of an event of {event.asset!r} is no JSON: {error}") from None
    run.cache.setdefault(EVENTS, []).extend(events)


def _events(task: BaseOperator, ti: Any, said: OutletEvents) -> Iterator[tuple[AssetEvent, str | None]]:
    source = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    for outlet in task.outlets:
        if isinstance(outlet, Asset):
            yield AssetEvent(outlet, said[outlet].extra, *source), None
        elif isinstance(outlet, AssetAlias):
            for asset, extra in said[outlet].added:
                yield AssetEvent(asset, extra, *source), outlet.name


def as_json(run: RunFacts) -> list[dict[str, Any]]:
    """The events of a run, for `run.as_dict()`."""
    return [
        {"name": event.asset.name, "uri": event.asset.uri, "task_id": event.source_task_id, "extra": event.extra}
        for event, _ in run.cache.get(EVENTS, ())
    ]
