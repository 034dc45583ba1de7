"""Moments and durations as users write them, made exact: aware datetimes, microseconds, zone names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from flowlet.clock import to_micros


def default_timezone() -> str:
    """The zone in which naive datetimes are read: `FLOWLET__CORE__DEFAULT_TIMEZONE`, else UTC."""
    from flowlet import settings

    return settings.get("core", "default_timezone", "UTC") or "UTC"


def zone_of(name: str) -> tzinfo:
    """The zone of that name; ValueError if the tz database has none."""
    if name.upper() == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: the tz database has no such name") from None


def name_of(zone: tzinfo | None) -> str:
    """What the tz database calls a zone; a fixed offset as `+02:00`."""
    key = getattr(zone, "key", None) or getattr(zone, "name", None)
    if isinstance(key, str):
        return key
    offset = zone.utcoffset(None) if zone is not None else None
    if offset is None:
        raise ValueError(f"the time zone {zone!r} has no name in the tz database")
    return "UTC" if not offset else _offset_name(offset)


def _offset_name(offset: timedelta) -> str:
    if offset % timedelta(minutes=1):
        raise ValueError(f"an offset of {offset} is not of whole minutes, and so has no name")
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def aware(moment: object, zone: tzinfo) -> datetime:
    """A datetime (or its ISO text) with a zone; a naive one is read in `zone`. TypeError, ValueError."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        raise TypeError(f"must be a datetime, not {type(moment).__name__}")
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def micros(moment: datetime | None) -> int | None:
    """An aware datetime as the engine counts; None stays None."""
    return None if moment is None else to_micros(moment)
