"""Values that must not be read in logs and reasons."""

from __future__ import annotations

_SENSITIVE = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "passphrase", "access_key")
_secrets: set[str] = set()
MASK = "***"


def is_sensitive(name: str) -> bool:
    """A name that says that its value is secret (Airflow: DEFAULT_SENSITIVE_FIELDS)."""
    name = name.lower()
    return any(word in name for word in _SENSITIVE)


def register_secret(value: str) -> None:
    """Mask this value from now on; its lines too, and as JSON and URLs spell it."""
    from json import dumps
    from urllib.parse import quote

    for text in (value, *value.splitlines()):
        if len(text) >= 4:
            _secrets.update((text, dumps(text)[1:-1], quote(text, safe="")))


def mask(text: str) -> str:
    """The text without any registered secret."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text
