"""`task_state_store` and `asset_state_store`: what a task keeps beside its values (Airflow: sdk/execution_time/context.py).

What a task instance keeps is seen by its later tries, and by itself when it is cleared; by no other instance and no
other run. What is kept of an asset is seen by every task, of any DAG and run, that names the asset as inlet or outlet.
Values are JSON, as they are in Airflow: text, numbers, truth, lists and dicts; not None.

The promise: a `set`, `delete` or `clear` that a `def` calls returns when it is on file, whatever becomes of the attempt
and of the process afterwards; so does an awaited `aset`, `adelete`, `aclear`. A plain `set` in an `async def` cannot hold
up the loop: it is seen at once, and on file with the next commit, before anything that follows from the attempt's end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flowlet import settings
from flowlet.clock import DAY, span_micros
from flowlet.errors import FlowletError, StateStoreError
from flowlet.runs.values import is_text

if TYPE_CHECKING:
    from flowlet.authoring.assets import Asset, AssetRef
    from flowlet.worker.task_instance import RuntimeTaskInstance
    from flowlet.worker.workload import States

NEVER_EXPIRE: Final = timedelta.max
"""`retention=NEVER_EXPIRE`: kept as long as its run."""

#: The longest key, as in Airflow.
LONGEST_KEY: Final = 512


class StateStore:
    """One scope: a task instance, or an asset by its name."""

    def __init__(self, ti: RuntimeTaskInstance, asset: str | None = None) -> None:
        self._ti = ti
        self._asset = asset

    def get(self, key: str, default: Any = None) -> Any:
        """What is kept under the key, else the default. In an `async def`, `aget` never holds up the loop."""
        return _read(self._door.find(self._ti._work, self._name, key), default)

    async def aget(self, key: str, default: Any = None) -> Any:
        """The same, awaited."""
        return _read(await self._door.afind(self._ti._work, self._name, key), default)

    def delete(self, key: str) -> None:
        """Forget the key, if there is one."""
        self._writing.drop(self._ti._work, self._name, key)

    async def adelete(self, key: str) -> None:
        """The same, awaited."""
        await self._writing.adrop(self._ti._work, self._name, key)

    def clear(self) -> None:
        """Forget all keys."""
        self._writing.drop(self._ti._work, self._name, None)

    async def aclear(self) -> None:
        """The same, awaited."""
        await self._writing.adrop(self._ti._work, self._name, None)

    @property
    def _name(self) -> str | None:
        return self._asset

    @property
    def _door(self) -> States:
        states = self._ti._worker.states
        if states is None:
            raise FlowletError("this executor has no way to the engine: what tasks keep cannot be read or written from here")
        return states

    @property
    def _writing(self) -> States:
        """A body that was stopped, and goes on because nobody can end its thread, writes no more."""
        from flowlet.worker.attempt import ATTEMPT

        attempt = ATTEMPT.get()
        if attempt is not None and attempt.stop is not None:
            kind, reason = attempt.stop
            raise StateStoreError(f"this attempt is over ({kind}: {reason}), what it keeps now is not taken")
        return self._door

    def _text(self, key: str, value: Any) -> str:
        text = _json(key, value)
        limit = settings.get_int("state_store", "max_value_storage_bytes", 65535, at_least=0)
        if limit and len(text) > limit:
            self._ti.log.warning("what is kept under %r is %d bytes, more than %d: keep it elsewhere, and its place here", key, len(text), limit)
        return text


class TaskStateStore(StateStore):
    """`task_state_store`: what this task instance keeps for its later tries."""

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Keep a value for `retention` (default: the setting `[state_store] default_retention_days`, 30; 0 for good).

        StateStoreError if it is None or no JSON. What its time is over for goes with the next retention.
        """
        self._writing.keep(self._ti._work, None, key, self._text(key, value), self._expiry(retention))

    async def aset(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """The same, awaited."""
        await self._writing.akeep(self._ti._work, None, key, self._text(key, value), self._expiry(retention))

    def _expiry(self, retention: timedelta | None) -> int | None:
        if retention == NEVER_EXPIRE:
            return None
        if retention is not None:
            return self._ti._worker.clock.now() + span_micros(retention)
        days = settings.get_int("state_store", "default_retention_days", 30, at_least=0)
        return self._ti._worker.clock.now() + days * DAY if days else None

    def __repr__(self) -> str:
        return f"<TaskStateStore of {self._ti!r}>"


class AssetStateStore(StateStore):
    """`asset_state_store[asset]`: what is kept of an asset, until it is deleted."""

    def __init__(self, ti: RuntimeTaskInstance, *, name: str | None = None, uri: str | None = None) -> None:
        super().__init__(ti, name)
        self._uri = uri

    def set(self, key: str, value: Any) -> None:
        """Keep a value. StateStoreError if it is None or no JSON."""
        self._writing.keep(self._ti._work, self._name, key, self._text(key, value), None)

    async def aset(self, key: str, value: Any) -> None:
        """The same, awaited."""
        await self._writing.akeep(self._ti._work, self._name, key, self._text(key, value), None)

    @property
    def _name(self) -> str:
        """Of a reference by uri: that of the asset which a registered DAG names."""
        if self._asset is None and self._uri is not None:
            self._asset = self._door.name_of(self._uri)
        if self._asset is None:
            raise StateStoreError(f"no DAG here names an asset with the uri {self._uri!r}")
        return self._asset

    def __repr__(self) -> str:
        return f"<AssetStateStore of {self._asset or self._uri!r}>"


class AssetStateStores:
    """`asset_state_store`: one store for each asset that the task names; with one asset its methods are there at once."""

    def __init__(self, ti: RuntimeTaskInstance, inlets: Sequence[Any], outlets: Sequence[Any]) -> None:
        self._stores: dict[tuple[str, str], AssetStateStore] = {}
        for part, text in _named(ti, inlets, outlets):
            self._stores.setdefault((part, text), AssetStateStore(ti, **{part: text}))

    def __getitem__(self, key: Asset | AssetRef) -> AssetStateStore:
        from flowlet.authoring.assets import Asset, AssetRef

        if not isinstance(key, (Asset, AssetRef)):
            raise TypeError(f"asset_state_store is asked by an asset or a reference to one, not by {key!r}")
        try:
            return self._stores[_name_or_uri(key)]
        except KeyError:
            raise KeyError(f"{key!r} is neither an inlet nor an outlet of this task") from None

    def __getattr__(self, name: str) -> Any:
        """`get`, `set`, `delete`, `clear` and their awaited twins, of the only asset."""
        if name.removeprefix("a") not in ("get", "set", "delete", "clear"):
            raise AttributeError(name)
        if len(self._stores) != 1:
            raise StateStoreError(f"this task names {len(self._stores)} assets: say which, as in asset_state_store[MY_ASSET].{name}(...)")
        (store,) = self._stores.values()
        return getattr(store, name)

    def __repr__(self) -> str:
        return f"<AssetStateStores {list(self._stores)}>"


def names_assets(inlets: Sequence[Any], outlets: Sequence[Any]) -> bool:
    """Whether a task names assets at all; else it has no `asset_state_store`."""
    from flowlet.authoring.assets import Asset, AssetAlias, AssetRef

    return any(isinstance(one, (Asset, AssetRef, AssetAlias)) for one in (*inlets, *outlets))


def _named(ti: RuntimeTaskInstance, inlets: Sequence[Any], outlets: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """("name" or "uri", text) of what the task names; of an alias it reads, of the assets that it stood for."""
    from flowlet.authoring.assets import Asset, AssetAlias, AssetRef
    from flowlet.worker.assets import behind_alias

    for one in (*inlets, *outlets):
        if isinstance(one, (Asset, AssetRef)):
            yield _name_or_uri(one)
    for one in inlets:
        if isinstance(one, AssetAlias):
            yield from (("name", asset.name) for asset in behind_alias(ti._work.run, one))


def _name_or_uri(asset: Asset | AssetRef) -> tuple[str, str]:
    return ("uri", asset.uri or "") if asset.name is None else ("name", asset.name)


def _read(text: str | None, default: Any) -> Any:
    return default if text is None else json.loads(text)


def _json(key: str, value: Any) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not is_text(key):
        raise StateStoreError(f"the key of what is kept must be a text of 1 to {LONGEST_KEY} characters, not {key!r}")
    if value is None:
        raise StateStoreError(f"{key!r} cannot be None: delete the key instead")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False) if _is_json(value) else None
    except (ValueError, RecursionError) as problem:
        raise StateStoreError(f"what is to be kept under {key!r} is no JSON: {problem}") from None
    if text is None or not is_text(text):
        kind = type(value).__name__
        raise StateStoreError(f"what is to be kept under {key!r} is no JSON ({kind}): keep texts, numbers, lists and dicts; of a datetime its isoformat()")
    return text


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int, float))
