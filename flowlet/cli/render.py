"""How results look: JSON for programs, aligned columns in a pipe, rich on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: Colours of states and verdicts on a terminal.
STYLES = {
    "success": "green", "failed": "bold red", "running": "cyan", "queued": "yellow", "scheduled": "yellow",
    "up_for_retry": "yellow", "up_for_reschedule": "yellow", "upstream_failed": "red", "skipped": "magenta",
    "removed": "dim", "none": "dim", "ok": "green", "warn": "yellow", "fail": "bold red",
}  # fmt: skip


def is_terminal() -> bool:
    """Standard output is a terminal on which drawing makes sense."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """rich, on the standard output that is there now. Import and set-up take some 60 ms: only to draw."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def json_(value: Any) -> None:
    """One JSON document, readable."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def json_line(value: Any) -> None:
    """One line of JSON, told at once: for streams."""
    import json

    print(json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str), flush=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
    """Rows under headers; `empty` is said on standard error when there are none."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        if empty:
            print(empty, file=sys.stderr)
        return
    if is_terminal():
        _draw_table(headers, cells)
        return
    for line in align([headers, *cells]):
        print(line)


def pairs(facts: Mapping[str, object]) -> None:
    """Names and values, a line each; absent values are left out."""
    shown = {name: _cell(value) for name, value in facts.items() if value not in (None, "", [], ())}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        print(f"{name:<{width}}  {value}")


def heading(text: str) -> None:
    """A line that begins a part."""
    print(f"\n{text}")


def note(text: str) -> None:
    """A remark beside the result: on standard error."""
    print(f"flowlet: {text}", file=sys.stderr)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart, as `column -t` makes them."""
    return ["  ".join(cells).rstrip() for cells in _padded(rows)]


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each cell as wide as its column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [[f"{text:<{width}}" for text, width in zip(row, widths, strict=True)] for row in rows]


def seconds(span: int | None) -> str:
    """A duration in microseconds, for people: 0.012 s, 3.4 s, 2 min 05 s, 1 h 02 min."""
    if span is None:
        return ""
    total = max(span, 0) / 1_000_000
    if total < 10:
        return f"{total:.3f} s"
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def plural(count: int, word: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def printable(text: str) -> str:
    """One line without control characters: what a file or a task wrote must not move the cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return printable(str(value))


def _draw_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The same columns, in colours. A line that is too long is the terminal's to wrap: ids stay in one piece."""
    from rich.text import Text

    head, *body = _padded([headers, *rows])
    lines = [Text("  ".join(head).rstrip(), style="bold")]
    for cells in body:
        styled = [Text(cell, style=_style(header, cell)) for header, cell in zip(headers, cells, strict=True)]
        line = Text("  ").join(styled)
        line.rstrip()
        lines.append(line)
    console().print(Text("\n").join(lines), soft_wrap=True)


def _style(header: str, cell: str) -> str:
    """Words are coloured where they are states, not where a DAG is called `failed`."""
    return STYLES.get(cell.rstrip(), "") if header in {"STATE", ""} else ""
