"""Assets: the data that tasks make and that others wait for (Airflow: sdk/definitions/asset).

A task names what it writes as `outlets` and what it reads as `inlets`; a DAG may name assets as its schedule.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Any, ClassVar, Self

import attrs

from flowlet.authoring import places
from flowlet.authoring.triggers import BaseEventTrigger
from flowlet.errors import DagError


class BaseAsset:
    """Something that `&` and `|` join: an asset, an alias, a reference, or a condition made of them."""

    __slots__ = ()

    def __and__(self, other: BaseAsset) -> AssetAll:
        return AssetAll(self, other)

    def __or__(self, other: BaseAsset) -> AssetAny:
        return AssetAny(self, other)

    def as_expression(self) -> Any:
        """The condition as JSON: `{"all": [...]}`, `{"any": [...]}`, `{"asset": ...}`, `{"alias": ...}`."""
        raise NotImplementedError

    def iter_assets(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        """All that it names."""
        raise NotImplementedError


@attrs.frozen(hash=True)
class AssetAccessControl:
    """Which teams may produce and consume an asset: kept for others to read, not enforced here."""

    producer_teams: Collection[str] = attrs.field(factory=tuple, hash=False)
    consumer_teams: Collection[str] | None = attrs.field(default=None, hash=False)
    allow_global: bool = True


@attrs.define
class AssetWatcher:
    """What may tell of an asset's change from outside: a trigger. In this version nobody runs it (see README)."""

    name: str
    trigger: BaseEventTrigger = attrs.field()

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.trigger, BaseEventTrigger):
            raise _refuse(f"the trigger of watcher {self.name!r} must be a BaseEventTrigger, not {self.trigger!r}")


class Asset(BaseAsset, os.PathLike[str]):
    """A piece of data by its name and its uri; one that is not given is the other. Two of both are the same."""

    __slots__ = ("access_control", "extra", "group", "name", "uri", "watchers")

    asset_type: ClassVar[str] = "asset"

    def __init__(
        self,
        name: str | None = None,
        uri: str | None = None,
        *,
        group: str | None = None,
        extra: dict[str, Any] | None = None,
        watchers: Collection[AssetWatcher] | None = None,
        access_control: AssetAccessControl | None = None,
    ) -> None:
        name, uri = name if name is not None else uri, uri if uri is not None else name
        if name is None or uri is None:
            raise _refuse("an asset needs a name or a uri")
        self.name = _checked("name", name)
        self.uri = _checked("uri", str(uri))
        self.watchers = list(watchers or ())
        for watcher in self.watchers:
            if not isinstance(watcher, AssetWatcher):
                raise _refuse(f"asset {self.name!r}: a watcher is an AssetWatcher, not {watcher!r}")
        self.group = group if group is not None else self.asset_type
        self.extra = dict(extra or {})
        self.access_control = access_control or AssetAccessControl()

    def __fspath__(self) -> str:
        """The uri, of which the path is all that the operating system takes."""
        return self.uri

    @staticmethod
    def ref(*, name: str | None = None, uri: str | None = None) -> AssetRef:
        """An asset by its name or its uri, where the other is not at hand."""
        return AssetRef(name=name, uri=uri)

    def as_expression(self) -> Any:
        return {"asset": {"name": self.name, "uri": self.uri}}

    def iter_assets(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asset) and (self.name, self.uri) == (other.name, other.uri)

    def __hash__(self) -> int:
        return hash((self.name, self.uri))

    def __repr__(self) -> str:
        return f"Asset(name={self.name!r}, uri={self.uri!r})"


class Dataset(Asset):
    """Airflow 2's name of an asset; one of the group "dataset"."""

    __slots__ = ()
    asset_type = "dataset"


class Model(Asset):
    """An asset of the group "model"."""

    __slots__ = ()
    asset_type = "model"


@attrs.frozen
class AssetRef(BaseAsset):
    """An asset by its name or its uri alone."""

    name: str | None = None
    uri: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.name is None) is (self.uri is None):
            raise _refuse("a reference to an asset is by its name or by its uri")

    def names(self, asset: Asset) -> bool:
        """Whether it means this asset."""
        return self.name == asset.name if self.name is not None else self.uri == asset.uri

    def as_expression(self) -> Any:
        return {"ref": {"name": self.name} if self.name is not None else {"uri": self.uri}}

    def iter_assets(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self


@attrs.frozen
class AssetAlias(BaseAsset):
    """A name for assets that are known only when the task runs."""

    name: str
    group: str = attrs.field(default="asset", kw_only=True, eq=False)

    def as_expression(self) -> Any:
        return {"alias": {"name": self.name, "group": self.group}}

    def iter_assets(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self


class _Condition(BaseAsset):
    __slots__ = ("objects",)

    word: str

    def __init__(self, *objects: BaseAsset) -> None:
        for member in objects:
            if not isinstance(member, BaseAsset):
                raise _refuse(f"a condition is made of assets, not of {member!r}")
        self.objects = objects

    def as_expression(self) -> Any:
        return {self.word: [member.as_expression() for member in self.objects]}

    def iter_assets(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        for member in self.objects:
            yield from member.iter_assets()

    def _with(self, other: BaseAsset) -> Self:
        return type(self)(*self.objects, other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.objects))})"


class AssetAll(_Condition):
    """Every one of these."""

    __slots__ = ()
    word = "all"

    def __and__(self, other: BaseAsset) -> AssetAll:
        return self._with(other)


class AssetAny(_Condition):
    """One of these."""

    __slots__ = ()
    word = "any"

    def __or__(self, other: BaseAsset) -> AssetAny:
        return self._with(other)


@attrs.frozen
class Metadata:
    """What a task yields about an asset that it wrote: `yield Metadata(asset, {"rows": 3})`."""

    asset: Asset
    extra: dict[str, Any] = attrs.field(factory=dict)
    alias: AssetAlias | str | None = None


def condition_of(schedule: object) -> BaseAsset | None:
    """The condition in a schedule: an asset, a list of them (all), an expression. None for other schedules."""
    if isinstance(schedule, BaseAsset):
        return schedule
    if isinstance(schedule, (list, tuple, set)) and schedule and all(isinstance(one, BaseAsset) for one in schedule):
        return AssetAll(*schedule)
    return None


def assets_of(schedule: object, tasks: Iterable[Any]) -> Iterator[Asset]:
    """The assets that a schedule waits for, and that tasks read and write."""
    condition = condition_of(getattr(schedule, "asset_condition", schedule))
    named = condition.iter_assets() if condition is not None else ()
    for one in (*named, *(asset for task in tasks for asset in (*task.inlets, *task.outlets))):
        if isinstance(one, Asset):
            yield one


def _checked(what: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(f"the {what} of an asset must be a non-empty string, not {value!r}")
    if what == "uri" and value.startswith("airflow:"):
        raise _refuse(f"the scheme of the uri {value!r} is reserved")
    return value


def _refuse(what: str) -> DagError:
    return DagError(f"{what} ({places.spell(places.here())})")
