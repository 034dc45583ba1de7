"""Time zones as spans of constant offset. Moments here are whole seconds UTC.

A zone is asked for its offset every second day of a block of 388 days, and each change is pinned down to
its second; what was found is kept. In the whole of tzdata no two changes of offset are nearer to each
other than 3.9 days (Freetown, 1939), which a test watches over. This works for every tzinfo, past 2037
too, where zoneinfo goes by the POSIX TZ rule in the file's footer (RFC 8536, section 3.3).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from flowlet.errors import TimetableError
from flowlet.named_tuple import NamedTuple

DAY = 86_400
#: The first and last second that are looked at: the years 1 to 9999 without their outermost days, so that
#: wall clocks stay representable in every zone.
LOWEST = -62_135_596_800 + 4 * DAY
HIGHEST = 253_402_300_799 - 4 * DAY

#: How far apart a zone is asked for its offset; changes nearer to each other would be missed.
STEP = 2 * DAY
_BLOCK = 1 << 25
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  `tzinfo.fromutc` wants the UTC time with its own tzinfo attached
_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)(?::?(\d\d))?")


class Span(NamedTuple):
    """A stretch [start, end) in which the wall clock is `offset` ahead of UTC.

    `peak` is what the wall clock had reached before `start`: more than the wall clock at `start` says
    that it was put back (fold), less that it was put forward (gap).
    """

    start: int
    end: int
    offset: int
    peak: int

    @property
    def fresh(self) -> int:
        """The first wall time of this span that no earlier span has shown."""
        return max(self.start + self.offset, self.peak)


class Zone:
    """One time zone."""

    __slots__ = ("_blocks", "_last", "_tz", "name")

    def __init__(self, name: str, tz: tzinfo | None, offset: int = 0) -> None:
        """`tz` None: the offset is fixed, and the zone is one span."""
        self.name = name
        self._tz = tz
        self._blocks: dict[int, list[Span]] = {}
        eternity = (LOWEST - _BLOCK, HIGHEST + _BLOCK) if tz is None else (0, 0)
        self._last = Span(*eternity, offset, eternity[0] + offset)

    def span_at(self, moment: int) -> Span:
        """The span that holds a moment between LOWEST and HIGHEST. Long spans are cut at block borders."""
        last = self._last
        if last.start <= moment < last.end:
            return last
        block = moment // _BLOCK
        spans = self._blocks.get(block)
        if spans is None:
            spans = self._blocks[block] = self._explore(block * _BLOCK)
        self._last = last = next(span for span in spans if moment < span.end)
        return last

    def _explore(self, start: int) -> list[Span]:
        """The spans of the block from `start`; changes up to two days before it still raise the peak."""
        end = start + _BLOCK
        cuts = self._changes(start - 2 * DAY, end)
        if not any(at == start for at, _, _ in cuts):
            offset = self._offset(start)
            cuts = sorted([*cuts, (start, offset, offset)])
        peak, spans = cuts[0][0] + cuts[0][1], []
        borders = [at for at, _, _ in cuts[1:]] + [end]
        for (at, before, offset), border in zip(cuts, borders, strict=True):
            peak = max(peak, at + before)
            if at >= start:
                spans.append(Span(at, border, offset, peak))
        return spans

    def _changes(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """(moment, offset before, offset from then on) of every change in (start, end)."""
        changes = []
        before = self._offset(start)
        for probe in range(start + STEP, end + STEP, STEP):
            offset = self._offset(probe)
            if offset == before:
                continue
            at = self._pin_down(probe - STEP, probe, before)
            if at < end:
                changes.append((at, before, offset))
            before = offset
        return changes

    def _pin_down(self, same: int, other: int, offset: int) -> int:
        """The first second after `same` at which the offset is no longer `offset`."""
        while other - same > 1:
            middle = (same + other) // 2
            if self._offset(middle) == offset:
                same = middle
            else:
                other = middle
        return other

    def _offset(self, moment: int) -> int:
        tz = self._tz
        if tz is None:
            return self._last.offset
        utc = (_EPOCH + timedelta(seconds=min(max(moment, LOWEST), HIGHEST))).replace(tzinfo=tz)
        offset = tz.fromutc(utc).utcoffset()
        return 0 if offset is None else offset // timedelta(seconds=1)


UTC = Zone("UTC", None)
_zones: dict[str, Zone] = {"UTC": UTC, "utc": UTC}


def zone_for(timezone: object, *, where: str) -> Zone:
    """The zone of a name, a `zoneinfo.ZoneInfo`, a pendulum or pytz zone, or a fixed `datetime.timezone`."""
    if isinstance(timezone, str):
        return _zone_named(timezone, where)
    if not isinstance(timezone, tzinfo):
        raise TimetableError(f"{where}: timezone={timezone!r} is neither the name of a zone nor a tzinfo.")
    for attribute in ("key", "name", "zone"):  # zoneinfo, pendulum, pytz
        name = getattr(timezone, attribute, None)
        if isinstance(name, str) and name:
            return _zone_named(name, where)
    return _zone_fixed(timezone, where)


def forget_zones() -> None:
    """Timetables made from now on read their zones anew: the time zone database was exchanged."""
    _zones.clear()
    _zones.update(UTC=UTC, utc=UTC)


def _zone_named(name: str, where: str) -> Zone:
    zone = _zones.get(name)
    if zone is None:
        fixed = _FIXED.fullmatch(name)
        zone = _zones[name] = _zone_of_offset(fixed) if fixed else Zone(name, _load(name, where))
    return zone


def _load(name: str, where: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo.no_cache(name)  # `_zones` is the cache
    except (KeyError, ValueError, OSError) as error:
        raise TimetableError(
            f"{where}: unknown time zone {name!r}. Zones are named as in the IANA database, such as"
            f" 'Europe/Berlin'; where the system has none, `pip install tzdata` brings them."
        ) from error


def _zone_of_offset(match: re.Match[str]) -> Zone:
    sign, hours, minutes, seconds = match.groups(default="0")
    offset = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return _fixed(-offset if sign == "-" else offset)


def _zone_fixed(timezone: tzinfo, where: str) -> Zone:
    """A zone without a name that knows its offset without being told a time."""
    offset = timezone.utcoffset(None)
    if offset is None:
        raise TimetableError(
            f"{where}: the time zone {timezone!r} has no name by which another process could find it."
            " Give the name, such as 'Europe/Berlin', or zoneinfo.ZoneInfo(name)."
        )
    seconds, rest = divmod(offset, timedelta(seconds=1))
    if rest:
        raise TimetableError(f"{where}: the offset of {timezone!r} is not in whole seconds.")
    return _fixed(seconds)


def _fixed(offset: int) -> Zone:
    if not offset:
        return UTC
    minutes, seconds = divmod(abs(offset), 60)
    name = f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    name += f":{seconds:02}" if seconds else ""
    return _zones.setdefault(name, Zone(name, None, offset))
