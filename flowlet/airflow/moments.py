"""A stand-in for pendulum, as far as DAG files use it: where the library is installed, that is used.

Names and meanings are pendulum 3's (https://pendulum.eustace.io/docs/): aware datetimes that can be moved
by calendar units. What is not here raises AttributeError and the way out is `pip install pendulum`.
"""

from __future__ import annotations

import calendar
import datetime as _dt
from typing import Any, Self, SupportsIndex, overload
from zoneinfo import ZoneInfo

from flowlet.clock import SystemClock, from_micros

__all__ = [
    "UTC", "Date", "DateTime", "Duration", "Time", "Timezone", "date", "datetime", "duration", "from_format",
    "from_timestamp", "instance", "interval", "local", "naive", "now", "parse", "time", "timezone", "today",
    "tomorrow", "yesterday",
]  # fmt: skip


class Timezone(ZoneInfo):
    """A zone of the tz database."""

    @property
    def name(self) -> str:
        return self.key


UTC = Timezone("UTC")


class Duration(_dt.timedelta):
    """A timedelta that also keeps years and months, which have no length of their own: 365 and 30 days here."""

    years: int
    months: int

    def __new__(
        cls,
        days: float = 0, seconds: float = 0, microseconds: float = 0, milliseconds: float = 0,
        minutes: float = 0, hours: float = 0, weeks: float = 0, years: int = 0, months: int = 0,
    ) -> Self:  # fmt: skip
        days += years * 365 + months * 30
        made = super().__new__(cls, days, seconds, microseconds, milliseconds, minutes, hours, weeks)
        made.years, made.months = years, months
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _dt.timedelta, (self.days, self.seconds, self.microseconds)

    def in_weeks(self) -> int:
        return int(self.total_weeks())

    def in_days(self) -> int:
        return int(self.total_days())

    def in_hours(self) -> int:
        return int(self.total_hours())

    def in_minutes(self) -> int:
        return int(self.total_minutes())

    def in_seconds(self) -> int:
        return int(self.total_seconds())

    def total_weeks(self) -> float:
        return self.total_days() / 7

    def total_days(self) -> float:
        return self.total_seconds() / 86_400

    def total_hours(self) -> float:
        return self.total_seconds() / 3600

    def total_minutes(self) -> float:
        return self.total_seconds() / 60


Time = _dt.time
Date = _dt.date


class DateTime(_dt.datetime):
    """An aware datetime that can be moved by calendar units."""

    @classmethod
    def of(cls, moment: _dt.datetime) -> Self:
        """The same moment and zone."""
        return cls(
            moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second,
            moment.microsecond, moment.tzinfo, fold=moment.fold,
        )  # fmt: skip

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return _dt.datetime.fromisoformat, (self.isoformat(),)

    # -- moving ---------------------------------------------------------------------------------------

    def add(
        self,
        years: int = 0, months: int = 0, weeks: int = 0, days: int = 0,
        hours: int = 0, minutes: int = 0, seconds: float = 0, microseconds: int = 0,
    ) -> Self:  # fmt: skip
        """Later by so much: days and longer on the calendar, hours and shorter in absolute time."""
        count = self.year * 12 + self.month - 1 + years * 12 + months
        year, month = divmod(count, 12)
        day = min(self.day, calendar.monthrange(year, month + 1)[1])
        moved = self.replace(year=year, month=month + 1, day=day) + _dt.timedelta(days=days, weeks=weeks)
        span = _dt.timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
        if not span:
            return type(self).of(moved)
        return type(self).of((moved.astimezone(_dt.UTC) + span).astimezone(self.tzinfo))

    def subtract(self, **amounts: Any) -> Self:
        """Earlier by so much."""
        return self.add(**{unit: -amount for unit, amount in amounts.items()})

    def set(self, *, tz: str | _dt.tzinfo | None = None, **fields: Any) -> Self:
        """With other fields."""
        if tz is not None:
            fields["tzinfo"] = _zone(tz)
        return type(self).of(self.replace(**fields))

    def at(self, hour: int, minute: int = 0, second: int = 0, microsecond: int = 0) -> Self:
        """At another time of its day."""
        return self.set(hour=hour, minute=minute, second=second, microsecond=microsecond)

    def on(self, year: int, month: int, day: int) -> Self:
        """On another day."""
        return self.set(year=year, month=month, day=day)

    def start_of(self, unit: str) -> Self:
        """The first moment of its second, minute, hour, day, week (Monday), month or year."""
        if unit == "week":
            return self.subtract(days=self.weekday()).start_of("day")
        zeros = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
        units = ["year", *zeros]
        if unit not in units[:-1]:
            raise ValueError(f"Invalid unit {unit!r} for start_of()")
        fields: dict[str, Any] = {name: zeros[name] for name in units[units.index(unit) + 1 :]}
        return self.set(**fields)

    def end_of(self, unit: str) -> Self:
        """The last microsecond of it."""
        return self.start_of(unit).add(**{f"{unit}s": 1}).subtract(microseconds=1)

    # -- zones ----------------------------------------------------------------------------------------

    def in_timezone(self, tz: str | _dt.tzinfo) -> Self:
        """The same moment as the clocks of a zone show it."""
        return type(self).of(self.astimezone(_zone(tz)))

    in_tz = in_timezone

    @property
    def timezone(self) -> _dt.tzinfo | None:
        return self.tzinfo

    @property
    def timezone_name(self) -> str | None:
        return getattr(self.tzinfo, "key", None) or self.tzname()

    def naive(self) -> Self:
        """Without the zone."""
        return type(self).of(self.replace(tzinfo=None))

    # -- looking --------------------------------------------------------------------------------------

    @property
    def int_timestamp(self) -> int:
        return int(self.timestamp())

    @property
    def day_of_week(self) -> int:
        """Monday is 0, as in pendulum 3."""
        return self.weekday()

    @property
    def day_of_year(self) -> int:
        return self.timetuple().tm_yday

    @property
    def week_of_year(self) -> int:
        return self.isocalendar()[1]

    @property
    def days_in_month(self) -> int:
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def quarter(self) -> int:
        return (self.month + 2) // 3

    def diff(self, other: _dt.datetime | None = None, abs: bool = True) -> Duration:  # noqa: A002  pendulum's name
        """The time from this to the other (now)."""
        span = (now() if other is None else other) - self
        return _duration_of(-span if abs and span < _dt.timedelta(0) else span)

    @overload  # type: ignore[override]  # as datetime's, with a Duration for the difference
    def __sub__(self, other: _dt.datetime) -> Duration: ...
    @overload
    def __sub__(self, other: _dt.timedelta) -> Self: ...
    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Duration) and (other.years or other.months):
            return self._moved(other, -1)
        result = super().__sub__(other)
        return _duration_of(result) if isinstance(result, _dt.timedelta) else result

    def __add__(self, other: _dt.timedelta) -> Self:
        if isinstance(other, Duration) and (other.years or other.months):
            return self._moved(other, 1)
        return super().__add__(other)

    __radd__ = __add__

    def _moved(self, span: Duration, sign: int) -> Self:
        rest = _dt.timedelta(days=span.days - span.years * 365 - span.months * 30, seconds=span.seconds)
        moved = self.add(years=sign * span.years, months=sign * span.months)
        return moved + sign * rest

    def is_past(self) -> bool:
        return self < now()

    def is_future(self) -> bool:
        return self > now()

    # -- text -----------------------------------------------------------------------------------------

    def to_date_string(self) -> str:
        return self.strftime("%Y-%m-%d")

    def to_time_string(self) -> str:
        return self.strftime("%H:%M:%S")

    def to_datetime_string(self) -> str:
        return self.strftime("%Y-%m-%d %H:%M:%S")

    def to_iso8601_string(self) -> str:
        """With `Z` for UTC."""
        text = self.isoformat()
        return f"{text[:-6]}Z" if self.timezone_name == "UTC" and text.endswith("+00:00") else text

    def format(self, fmt: str, locale: str | None = None) -> str:  # noqa: ARG002  pendulum's signature
        """By pendulum's tokens (`YYYY-MM-DD HH:mm:ss`), English names; `[text]` is text."""
        import re

        def token(match: re.Match[str]) -> str:
            word = match[0]
            return word[1:-1] if word.startswith("[") else self.strftime(_TOKENS[word])

        return re.sub(_TOKEN, token, fmt)


_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "DDDD": "%j", "DD": "%d", "dddd": "%A",
    "ddd": "%a", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "SSSSSS": "%f", "A": "%p", "ZZ": "%z", "z": "%Z",
}  # fmt: skip
_TOKEN = r"\[[^\]]*\]|" + "|".join(sorted(_TOKENS, key=len, reverse=True))


def _duration_of(span: _dt.timedelta) -> Duration:
    return Duration(days=span.days, seconds=span.seconds, microseconds=span.microseconds)


def _zone(tz: str | _dt.tzinfo | None) -> _dt.tzinfo:
    if isinstance(tz, str):
        return timezone(tz)
    return UTC if tz is None else tz


def timezone(name: str | int) -> Timezone | _dt.timezone:
    """A zone by its name, or an offset by its seconds."""
    if isinstance(name, int):
        return _dt.timezone(_dt.timedelta(seconds=name))
    return UTC if name.upper() == "UTC" else Timezone(name)


def datetime(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0,
    tz: str | _dt.tzinfo | None = UTC, fold: int = 1,
) -> DateTime:  # fmt: skip
    """A moment in a zone, UTC unless said."""
    return DateTime(
        year, month, day, hour, minute, second, microsecond, _zone(tz), fold=fold if tz is not UTC else 0
    )


def naive(*args: Any) -> DateTime:
    """A datetime without a zone."""
    return DateTime(*args)


def local(*args: Any) -> DateTime:
    """A moment in the machine's own zone."""
    return DateTime.of(_dt.datetime(*args).astimezone())


def date(year: int, month: int, day: int) -> _dt.date:
    """A day."""
    return _dt.date(year, month, day)


def time(hour: int, minute: int = 0, second: int = 0, microsecond: int = 0) -> _dt.time:
    """A time of day."""
    return _dt.time(hour, minute, second, microsecond)


def duration(**amounts: Any) -> Duration:
    """A span of time."""
    return Duration(**amounts)


def interval(start: _dt.datetime, end: _dt.datetime) -> Duration:
    """The time from one moment to the other."""
    return _duration_of(end - start)


def now(tz: str | _dt.tzinfo | None = None) -> DateTime:
    """This moment, in UTC unless a zone is said."""
    return DateTime.of(from_micros(SystemClock().now()).astimezone(_zone(tz)))


def today(tz: str | _dt.tzinfo | None = None) -> DateTime:
    """The first moment of this day."""
    return now(tz).start_of("day")


def tomorrow(tz: str | _dt.tzinfo | None = None) -> DateTime:
    """The first moment of the next day."""
    return today(tz).add(days=1)


def yesterday(tz: str | _dt.tzinfo | None = None) -> DateTime:
    """The first moment of the day before."""
    return today(tz).subtract(days=1)


def parse(text: str, tz: str | _dt.tzinfo | None = UTC, **_: Any) -> DateTime:
    """A moment from its ISO text; one without an offset is read in the zone."""
    return instance(_dt.datetime.fromisoformat(text), tz)


def from_format(text: str, fmt: str, tz: str | _dt.tzinfo | None = UTC) -> DateTime:
    """A moment from text, by pendulum's tokens."""
    import re

    pattern = re.sub(_TOKEN, lambda match: _TOKENS.get(match[0], match[0]), fmt)
    return instance(_dt.datetime.strptime(text, pattern), tz)  # noqa: DTZ007  instance() gives it a zone


def from_timestamp(timestamp: float, tz: str | _dt.tzinfo = UTC) -> DateTime:
    """A moment from seconds since 1970."""
    return DateTime.of(_dt.datetime.fromtimestamp(timestamp, _zone(tz)))


def instance(moment: _dt.datetime, tz: str | _dt.tzinfo | None = UTC) -> DateTime:
    """A datetime as a DateTime; a naive one is read in the zone."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(tz))
    return DateTime.of(moment)
