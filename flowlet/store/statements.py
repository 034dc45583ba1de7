"""SQL stands in .sql files; here it becomes constant text under its name."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)
_MARK = re.compile(r"\{iso:([\w.]+)\}")

# The seconds are found by integer arithmetic that rounds down for moments before 1970 too; the rest is
# then 0 to 999999. NULL stays NULL.
_ISO = (
    "strftime('%Y-%m-%dT%H:%M:%S', ({0} - ({0} % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')"
    " || printf('.%06dZ', ({0} % 1000000 + 1000000) % 1000000)"
)


def expand(text: str) -> str:
    """Write out the marks {iso:column}: a moment as ISO 8601 in UTC with microseconds and `Z`."""
    return _MARK.sub(lambda mark: _ISO.format(mark[1]), text)


def load(file: str) -> dict[str, str]:
    """The named statements of a .sql file beside this one."""
    pieces = _NAME.split((_HERE / file).read_text(encoding="utf-8"))
    return {name: _bare(expand(body)) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}


def script(file: str) -> str:
    """A whole .sql file."""
    return expand((_HERE / file).read_text(encoding="utf-8"))


def _bare(body: str) -> str:
    """Without the comment lines and the semicolon: shorter keys for SQLite's cache of statements."""
    lines = [line for line in body.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")
