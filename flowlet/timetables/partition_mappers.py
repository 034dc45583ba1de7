"""From the partition of an asset that was written to the partition of the run that it is for (Airflow: partition_mappers/)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar

import attrs

from flowlet.errors import TimetableError
from flowlet.timetables.partition_windows import WaitForAll, WaitPolicy, Window


def _positive(_: Any, __: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise TimetableError(f"max_downstream_keys={value!r} must be a positive whole number, or None.")


@attrs.define
class PartitionMapper:
    """`to_downstream` gives the key, or the keys, of the runs that an asset's partition is for."""

    is_rollup: ClassVar[bool] = False
    expected_decoded_type: ClassVar[type] = str
    """What its keys stand for: texts, or moments."""

    max_downstream_keys: int | None = attrs.field(default=None, kw_only=True, validator=_positive)

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """The key or keys that this one becomes."""
        raise NotImplementedError(f"{type(self).__name__} defines no to_downstream()")


@attrs.define
class IdentityMapper(PartitionMapper):
    """The same key."""

    def to_downstream(self, key: str) -> str:
        return key


@attrs.define
class AllowedKeyMapper(PartitionMapper):
    """The same key, if it is one of these."""

    allowed_keys: list[str]

    def to_downstream(self, key: str) -> str:
        if key not in self.allowed_keys:
            raise TimetableError(f"the partition {key!r} is none of {self.allowed_keys}")
        return key


@attrs.define
class FixedKeyMapper(PartitionMapper):
    """Always this key."""

    downstream_key: str

    def __attrs_post_init__(self) -> None:
        if not self.downstream_key or not isinstance(self.downstream_key, str):
            raise TimetableError(f"FixedKeyMapper: downstream_key={self.downstream_key!r} must be a non-empty text.")

    def to_downstream(self, key: str) -> str:  # noqa: ARG002  the interface
        return self.downstream_key


@attrs.define(init=False)
class ChainMapper(PartitionMapper):
    """One mapper after the other; of one that gives several keys, each goes on."""

    mappers: list[PartitionMapper]

    def __init__(
        self, mapper0: PartitionMapper, mapper1: PartitionMapper, /, *mappers: PartitionMapper, max_downstream_keys: int | None = None
    ) -> None:
        self.__attrs_init__(mappers=[mapper0, mapper1, *mappers], max_downstream_keys=max_downstream_keys)

    def to_downstream(self, key: str) -> str | list[str]:
        keys = [key]
        for mapper in self.mappers:
            keys = list(dict.fromkeys(one for before in keys for one in _several(mapper.to_downstream(before))))
        return keys[0] if len(keys) == 1 else keys


@attrs.define(init=False)
class ProductMapper(PartitionMapper):
    """A key of several parts, each with a mapper of its own."""

    mappers: list[PartitionMapper]
    delimiter: str

    def __init__(
        self,
        mapper0: PartitionMapper,
        mapper1: PartitionMapper,
        /,
        *mappers: PartitionMapper,
        delimiter: str = "|",
        max_downstream_keys: int | None = None,
    ) -> None:
        self.__attrs_init__(
            mappers=[mapper0, mapper1, *mappers], delimiter=delimiter, max_downstream_keys=max_downstream_keys
        )

    def to_downstream(self, key: str) -> str:
        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            raise TimetableError(f"the partition {key!r} has {len(parts)} parts, not {len(self.mappers)}")
        return self.delimiter.join(_single(mapper, part) for mapper, part in zip(self.mappers, parts, strict=True))


@attrs.define
class _TemporalMapper(PartitionMapper):
    """The start of the period in which the key's moment lies, by the clocks of a zone."""

    expected_decoded_type = datetime
    default_output_format: ClassVar[str]

    timezone: str | tzinfo = attrs.field(default="UTC", kw_only=True)
    input_format: str = attrs.field(default="%Y-%m-%dT%H:%M:%S", kw_only=True)
    output_format: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.output_format = self.output_format or self.default_output_format
        _zone(self.timezone)

    def to_downstream(self, key: str) -> str:
        return self.format(self.start_of(key))

    def start_of(self, key: str) -> datetime:
        """The period in which the key's moment lies: its start."""
        try:
            moment = datetime.strptime(key, self.input_format)  # noqa: DTZ007  it is made aware at once
        except ValueError:
            raise TimetableError(f"the partition {key!r} is not of the form {self.input_format!r}") from None
        zone = _zone(self.timezone)
        aware = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return self.normalize(aware.astimezone(UTC).astimezone(zone))  # what a clock jumped over is what it shows then

    def normalize(self, moment: datetime) -> datetime:
        """The start of the period in which a moment lies."""
        raise NotImplementedError

    def format(self, moment: datetime) -> str:
        """The key of the period that starts then."""
        return moment.strftime(self.output_format or "")


class StartOfHourMapper(_TemporalMapper):
    """`2024-03-13T10:42:15` becomes `2024-03-13T10`."""

    default_output_format = "%Y-%m-%dT%H"

    def normalize(self, moment: datetime) -> datetime:
        return moment.replace(minute=0, second=0, microsecond=0)


class StartOfDayMapper(_TemporalMapper):
    """`2024-03-13T10:42:15` becomes `2024-03-13`."""

    default_output_format = "%Y-%m-%d"

    def normalize(self, moment: datetime) -> datetime:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)


class StartOfWeekMapper(StartOfDayMapper):
    """`2024-03-13T10:42:15` becomes `2024-03-11 (W11)`, its Monday."""

    default_output_format = "%Y-%m-%d (W%V)"

    def normalize(self, moment: datetime) -> datetime:
        day = super().normalize(moment)
        return day - timedelta(days=day.weekday())


class StartOfMonthMapper(StartOfDayMapper):
    """`2024-03-13T10:42:15` becomes `2024-03`."""

    default_output_format = "%Y-%m"

    def normalize(self, moment: datetime) -> datetime:
        return super().normalize(moment).replace(day=1)


class StartOfQuarterMapper(StartOfMonthMapper):
    """`2024-03-13T10:42:15` becomes `2024-Q1`; `{quarter}` stands for its number."""

    default_output_format = "%Y-Q{quarter}"

    def normalize(self, moment: datetime) -> datetime:
        first = super().normalize(moment)
        return first.replace(month=(first.month - 1) // 3 * 3 + 1)

    def format(self, moment: datetime) -> str:
        return moment.strftime((self.output_format or "").replace("{quarter}", str((moment.month + 2) // 3)))


class StartOfYearMapper(StartOfMonthMapper):
    """`2024-03-13T10:42:15` becomes `2024`."""

    default_output_format = "%Y"

    def normalize(self, moment: datetime) -> datetime:
        return super().normalize(moment).replace(month=1)


@attrs.define
class RollupMapper(PartitionMapper):
    """Many keys become one: that of `upstream_mapper`, once enough of the parts of `window` have arrived."""

    is_rollup = True

    upstream_mapper: PartitionMapper = attrs.field(kw_only=True)
    window: Window = attrs.field(kw_only=True)
    wait_policy: WaitPolicy = attrs.field(factory=WaitForAll, kw_only=True)

    def __attrs_post_init__(self) -> None:
        ours, theirs = self.upstream_mapper.expected_decoded_type, self.window.expected_decoded_type
        if ours is not theirs:
            names = type(self.window).__name__, theirs.__name__, type(self.upstream_mapper).__name__, ours.__name__
            raise TimetableError("RollupMapper: {} is made of parts of type {}, {} gives {}.".format(*names))

    def to_downstream(self, key: str) -> str | Iterable[str]:
        return self.upstream_mapper.to_downstream(key)


@attrs.define(init=False)
class FanOutMapper(PartitionMapper):
    """One key becomes many: one for each part of the period that it stands for."""

    default_downstream_mapper_by_window_name: ClassVar[dict[str, type[_TemporalMapper]]] = {
        "DayWindow": StartOfHourMapper,
        "WeekWindow": StartOfDayMapper,
        "MonthWindow": StartOfDayMapper,
        "QuarterWindow": StartOfMonthMapper,
        "YearWindow": StartOfMonthMapper,
    }

    upstream_mapper: PartitionMapper = attrs.field(kw_only=True)
    window: Window = attrs.field(kw_only=True)
    downstream_mapper: PartitionMapper = attrs.field(kw_only=True)

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        if downstream_mapper is None:
            known = self.default_downstream_mapper_by_window_name.get(type(window).__name__)
            if known is None:
                raise TimetableError(f"FanOutMapper: of {window!r} the parts have no usual keys; give a downstream_mapper.")
            downstream_mapper = known()
        self.__attrs_init__(
            upstream_mapper=upstream_mapper, window=window, downstream_mapper=downstream_mapper, max_downstream_keys=max_downstream_keys
        )

    def to_downstream(self, key: str) -> list[str]:
        up = self.upstream_mapper
        period = up.start_of(key) if isinstance(up, _TemporalMapper) else _single(up, key)
        parts = self.window.to_upstream(period)
        down = self.downstream_mapper
        return [down.format(part) if isinstance(down, _TemporalMapper) else _single(down, part) for part in parts]


def to_json(thing: Any) -> Any:
    """A mapper with all that it is made of, as a spec holds it."""
    if isinstance(thing, (PartitionMapper, WaitPolicy)):
        parts = {field.name: to_json(getattr(thing, field.name)) for field in getattr(type(thing), "__attrs_attrs__", ())}
        return {"type": type(thing).__name__, **{name: part for name, part in parts.items() if part is not None}}
    if isinstance(thing, Window):
        return {"type": repr(thing)}
    if isinstance(thing, list):
        return [to_json(one) for one in thing]
    return thing if isinstance(thing, (str, int, dict)) or thing is None else str(thing)


def _several(keys: str | Iterable[str]) -> Iterable[str]:
    return [keys] if isinstance(keys, str) else keys


def _single(mapper: PartitionMapper, key: str) -> str:
    mapped = mapper.to_downstream(key)
    if not isinstance(mapped, str):
        raise TimetableError(f"{type(mapper).__name__} gives several keys for {key!r} where one is needed")
    return mapped


def _zone(timezone: str | tzinfo) -> tzinfo:
    if isinstance(timezone, tzinfo):
        return timezone
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise TimetableError(f"there is no time zone {timezone!r}") from None
