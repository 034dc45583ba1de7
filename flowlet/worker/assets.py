"""What a body says of the assets that it wrote, and sees of those that it reads.

Events live in memory with their run, in this version: `run.as_dict()` shows them, other runs do not see them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.authoring.assets import Asset, AssetAlias, AssetRef, Metadata, assets_of
from flowlet.errors import FlowletError
from flowlet.named_tuple import NamedTuple

if TYPE_CHECKING:
    from flowlet.authoring.operator import BaseOperator
    from flowlet.worker.workload import RunFacts

LONGEST_PARTITION = 250
"""Characters of a partition's key, as in Airflow."""

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
    timestamp: datetime
    partition_key: str | None = None

    @property
    def uri(self) -> str:
        return self.asset.uri


class OutletEvent:
    """What will be said of one outlet: set `extra`; `add(asset)` what an alias turned out to be."""

    def __init__(self, *, of_alias: bool = False) -> None:
        self.extra: dict[str, Any] = {}
        self.partition_keys: dict[str, None] = {}
        self._of_alias = of_alias
        self.added: list[tuple[Asset, dict[str, Any]]] = []

    def add(self, asset: Asset, extra: dict[str, Any] | None = None) -> None:
        """The alias stands for this asset, which was written."""
        self.added.append((asset, dict(extra or {})))

    def add_partitions(self, keys: str | Iterable[str]) -> None:
        """These partitions were written: each is an event of its own, equal ones are one."""
        if self._of_alias:
            raise TypeError("an alias has no partitions: say them of the asset that it stands for")
        for key in [keys] if isinstance(keys, str) else keys:
            if not isinstance(key, str) or not key.strip() or len(key) > LONGEST_PARTITION:
                raise ValueError(f"the key of a partition must be a text of 1 to {LONGEST_PARTITION} characters, not {key!r}")
            self.partition_keys[key] = None


class ByAsset:
    """Asked by an asset, an alias or a reference, or by their names."""

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> Any:
        """Of the asset with that name, that uri, or both."""
        return self[Asset(name, uri) if name and uri else AssetRef(name, uri)]

    def for_asset_alias(self, *, name: str) -> Any:
        """Of the alias."""
        return self[AssetAlias(name)]


class OutletEvents(ByAsset):
    """`outlet_events`: by asset, alias, or reference."""

    def __init__(self, outlets: Any) -> None:
        self._outlets = outlets
        self._events: dict[Any, OutletEvent] = {}

    def __getitem__(self, key: Any) -> OutletEvent:
        if not isinstance(key, (Asset, AssetAlias, AssetRef)):
            raise KeyError(f"outlet_events is asked by an asset, an alias or a reference, not by {key!r}")
        event = self._events.get(key)
        if event is None:
            event = self._events[key] = OutletEvent(of_alias=isinstance(key, AssetAlias))
        return event

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


class SeenEvents(list[AssetEvent]):
    """The events of one asset or alias, the oldest first; each of these gives a part of them, in its order."""

    def after(self, moment: str | datetime) -> SeenEvents:
        """From that moment on."""
        since = _moment(moment)
        return SeenEvents(event for event in self if event.timestamp >= since)

    def before(self, moment: str | datetime) -> SeenEvents:
        """Up to that moment."""
        until = _moment(moment)
        return SeenEvents(event for event in self if event.timestamp <= until)

    def ascending(self, ascending: bool = True) -> SeenEvents:
        """The oldest first, or the newest."""
        return SeenEvents(sorted(self, key=lambda event: event.timestamp, reverse=not ascending))

    def limit(self, limit: int) -> SeenEvents:
        """The first so many."""
        return SeenEvents(self[:limit])


class InletEvents(ByAsset):
    """`inlet_events`: what tasks of this run wrote so far of an asset that this one reads; by its place among the inlets, too."""

    def __init__(self, run: RunFacts, inlets: Sequence[Any]) -> None:
        self._run = run
        self._inlets = inlets

    def __getitem__(self, key: Any) -> SeenEvents:
        inlet = self._inlets[key] if isinstance(key, int) else key
        if not isinstance(inlet, (Asset, AssetAlias, AssetRef)):
            raise TypeError(f"inlet_events is asked by an asset, an alias or a reference, not by {inlet!r}")
        if not any(_is_same(inlet, other) for other in self._inlets):
            raise KeyError(inlet)
        events: list[tuple[AssetEvent, str | None]] = self._run.cache.get(EVENTS, [])
        return SeenEvents(event for event, alias in events if _means(inlet, event, alias))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)


def _is_same(one: Any, other: Any) -> bool:
    """Whether an inlet is what is asked for; a reference and an asset may be the same."""
    if isinstance(one, AssetRef) and isinstance(other, Asset):
        return one.names(other)
    return other.names(one) if isinstance(other, AssetRef) and isinstance(one, Asset) else bool(one == other)


def _moment(moment: str | datetime) -> datetime:
    from flowlet.authoring.dates import aware, default_timezone, zone_of

    return aware(moment, zone_of(default_timezone()))


def behind_alias(run: RunFacts, alias: AssetAlias) -> Iterator[Asset]:
    """The assets that it stood for in this run so far."""
    return (event.asset for event, name in run.cache.get(EVENTS, ()) if name == alias.name)


def _means(key: Any, event: AssetEvent, alias: str | None) -> bool:
    if isinstance(key, AssetAlias):
        return key.name == alias
    return key.names(event.asset) if isinstance(key, AssetRef) else key == event.asset


def record(task: BaseOperator, ti: Any, run: RunFacts, said: OutletEvents) -> None:
    """The attempt succeeded: each outlet has an event (Airflow: assets/manager.py). FlowletError: extra is no JSON."""
    events = list(_events(task, ti, run, said))
    for event, _ in events:
        try:
            json.dumps(event.extra, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise FlowletError(f"the extra of an event of {event.asset!r} is no JSON: {error}") from None
    run.cache.setdefault(EVENTS, []).extend(events)


def _events(task: BaseOperator, ti: Any, run: RunFacts, said: OutletEvents) -> Iterator[tuple[AssetEvent, str | None]]:
    source = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.now())
    for named in task.outlets:
        outlet = _asset_of(named, ti) if isinstance(named, AssetRef) else named
        if isinstance(outlet, Asset):
            event = said[named]
            for partition in event.partition_keys or [run.partition[0]]:
                yield AssetEvent(outlet, event.extra, *source, partition), None
        elif isinstance(outlet, AssetAlias):
            for asset, extra in said[outlet].added:
                yield AssetEvent(asset, extra, *source), outlet.name


def _asset_of(ref: AssetRef, ti: Any) -> Asset:
    """The asset that a reference among the outlets means, as the DAGs here name it."""
    dag = ti._work.dag
    asset = next((asset for asset in assets_of(dag.schedule, dag.tasks) if ref.names(asset)), None)
    states = ti._worker.states
    name = ref.name or (states.name_of(ref.uri) if states is not None else None)
    if asset is None and name is None:
        raise FlowletError(f"no DAG here names an asset with the uri {ref.uri!r}")
    return asset or Asset(name, ref.uri)


def as_json(run: RunFacts) -> list[dict[str, Any]]:
    """The events of a run, for `run.as_dict()`."""
    return [
        {
            "name": event.asset.name, "uri": event.asset.uri, "task_id": event.source_task_id, "extra": event.extra,
            **({} if event.partition_key is None else {"partition_key": event.partition_key}),
        }
        for event, _ in run.cache.get(EVENTS, ())
    ]  # fmt: skip
