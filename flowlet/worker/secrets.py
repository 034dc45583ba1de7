"""What must not be read in a log: secret values, in every spelling in which they are likely to appear.

One registry per process: a secret is one whoever learned of it. Masking comes before any cut of a text.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

MASK: Final = "***"

#: Shorter values are not masked: they would blot out logs, and hide nothing (Airflow's own default).
SHORTEST: Final = 5

_SENSITIVE = (
    "access_token", "api_key", "apikey", "authorization", "passphrase", "passwd", "password", "private_key",
    "secret", "token", "keyfile_dict", "service_account",
)  # fmt: skip


def is_sensitive(name: object) -> bool:
    """Whether a name speaks of a secret (as Airflow's DEFAULT_SENSITIVE_FIELDS)."""
    return isinstance(name, str) and any(word in name.lower() for word in _SENSITIVE)


def redact(value: Any, name: str | None = None) -> Any:
    """A JSON value without known secrets and without texts under names that speak of one (Airflow: sdk/log.py)."""
    hidden = is_sensitive(name)
    if isinstance(value, str):
        return MASK if hidden and value else SECRETS.mask(value)
    if isinstance(value, Mapping):
        return {key: redact(member, name if hidden else key) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(member, name) for member in value]
    return value


class Secrets:
    """The secret values of this process. Masking costs nothing while there are none."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        self._environment_read = False

    def add(self, value: object) -> None:
        """Mask this from now on; in a dict, list or tuple every str."""
        if isinstance(value, str):
            forms = {form for form in _forms(value) if len(form) >= SHORTEST} - self._forms
            if forms:
                with self._lock:
                    self._forms |= forms
                    self._pattern = None
        elif isinstance(value, Mapping):
            for member in value.values():
                self.add(member)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for member in value:
                self.add(member)

    def add_sensitive_members(self, value: object) -> None:
        """Mask what stands under sensitive names in a JSON value."""
        if isinstance(value, Mapping):
            for name, member in value.items():
                (self.add if is_sensitive(name) else self.add_sensitive_members)(member)
        elif isinstance(value, (list, tuple)):
            for member in value:
                self.add_sensitive_members(member)

    @property
    def longest(self) -> int:
        """How many characters the longest secret has."""
        return max(map(len, self._forms), default=0)

    def mask(self, text: str) -> str:
        """The text with every secret replaced."""
        if not self._environment_read:
            self._read_environment()
        if not self._forms:
            return text
        pattern = self._pattern
        if pattern is None:
            with self._lock:
                ordered = sorted(self._forms, key=len, reverse=True)
            pattern = self._pattern = re.compile("|".join(map(re.escape, ordered)))
        return pattern.sub(MASK, text)

    def _read_environment(self) -> None:
        """Variables and connections of the environment are secrets before anybody asks for them."""
        self._environment_read = True
        for name, text in list(os.environ.items()):
            if name.startswith(("FLOWLET_CONN_", "AIRFLOW_CONN_")):
                self._add_connection(text)
            elif name.startswith(("FLOWLET_VAR_", "AIRFLOW_VAR_")) and is_sensitive(name):
                self.add(text)

    def _add_connection(self, text: str) -> None:
        from flowlet.worker.connections import Connection

        try:
            Connection("", text)
        except (
            Exception
        ):  # one that cannot be read holds nothing that we could find; its user is told when it is used
            return


def _forms(value: str) -> Iterator[str]:
    """The value and its other spellings: by line, in JSON, in a URL, in base64 at any offset."""
    import json
    from urllib.parse import quote, quote_plus

    stripped = value.strip()
    yield value
    yield stripped
    if "\n" in stripped:
        yield from (line.strip() for line in stripped.splitlines())
    for text in (value, stripped):
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield quote(text, safe="", errors="replace")
        yield quote_plus(text, errors="replace")
    yield from _base64_forms(value.encode("utf-8", "replace"))


def _base64_forms(value: bytes) -> Iterator[str]:
    """What of the value's base64 does not hang on its neighbours: `user:secret` hides one at an offset."""
    from base64 import b64encode, urlsafe_b64encode

    for offset in range(3):
        padded = b"\0" * offset + value
        whole = len(padded) // 3 * 3
        first = (0, 2, 3)[offset]
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(padded[:whole]).decode("ascii")[first:]
            if len(text) >= 2 * SHORTEST - 2:  # less says too little to be told from chance
                yield text


SECRETS: Final = Secrets()


def mask_secret(value: object, name: str | None = None) -> None:
    """Never show this value in a log again (Airflow: sdk/log.py `mask_secret`).

    With a `name` that speaks of no secret only the sensitive members of a dict are masked.
    """
    if name is None or is_sensitive(name):
        SECRETS.add(value)
    else:
        SECRETS.add_sensitive_members(value)
