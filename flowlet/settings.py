"""Settings from the environment: `FLOWLET__SECTION__KEY`, spelt as Airflow spells its own.

A value that cannot be read is an error that names the variable; an empty one counts as not set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import overload

from flowlet.errors import FlowletError

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


class SettingError(FlowletError, ValueError):
    """A `FLOWLET__...` variable holds what cannot be read."""


def variable(section: str, key: str) -> str:
    """The name of the environment variable of a setting."""
    return f"FLOWLET__{section.upper()}__{key.upper()}"


@overload
def get(section: str, key: str, default: str) -> str: ...
@overload
def get(section: str, key: str, default: None = None) -> str | None: ...
def get(section: str, key: str, default: str | None = None) -> str | None:
    """The text of a setting, or the default."""
    return os.environ.get(variable(section, key), "").strip() or default


def get_choice(section: str, key: str, default: str, choices: Iterable[str]) -> str:
    """One of a few words, in any case; gives it as `choices` spells it."""
    text = get(section, key, default)
    known = {choice.lower(): choice for choice in choices}
    if text.lower() not in known:
        raise _wrong(section, key, text, "one of " + ", ".join(known.values()))
    return known[text.lower()]


def get_int(section: str, key: str, default: int, *, at_least: int | None = None) -> int:
    """A whole number."""
    text = get(section, key)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise _wrong(section, key, text, "a whole number") from None
    if at_least is not None and number < at_least:
        raise _wrong(section, key, text, f"a whole number, at least {at_least}")
    return number


def get_float(section: str, key: str, default: float, *, at_least: float | None = None) -> float:
    """A finite number."""
    text = get(section, key)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        raise _wrong(section, key, text, "a number") from None
    if number - number != 0:  # inf and nan are numbers to float(), not to us
        raise _wrong(section, key, text, "a finite number")
    if at_least is not None and number < at_least:
        raise _wrong(section, key, text, f"a number, at least {at_least}")
    return number


def get_bool(section: str, key: str, default: bool) -> bool:
    """true or false, yes or no, on or off, 1 or 0."""
    text = get(section, key)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise _wrong(section, key, text, "true or false")


def _wrong(section: str, key: str, text: str, wanted: str) -> SettingError:
    place = f"{variable(section, key)}={text!r} in the environment"
    return SettingError(f"{place}: must be {wanted}. Correct or unset it.")
