"""`flowlet check`: what is wrong with files of DAGs, before they run."""

from __future__ import annotations

import argparse
import os
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from flowlet import settings
from flowlet.cli import arguments, exits, reading, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowlet.checking.findings import Finding
    from flowlet.checking.whole import Report
    from flowlet.registry.loading import Loaded


def check(args: argparse.Namespace) -> int:
    """Look at all files; 1 if something in them will not work."""
    from flowlet.checking import whole
    from flowlet.checking.apart import look_apart
    from flowlet.clock import SystemClock
    from flowlet.engine import loading

    pools, now = _pools(args), SystemClock().now()

    def look(left_out: frozenset[str], tell: Callable[[str], None]) -> Report:
        def load(path: str) -> Loaded:
            tell(path)
            with open(2, "w", closefd=False) as heard, redirect_stdout(heard):  # a file may close what it is given
                return loading.read(path)

        return whole.check(args.paths, load, now=now, pools=pools, left_out=left_out)

    report = look_apart(look, patience=_patience())
    if args.json:
        render.json_(_shape(report))
    else:
        _print(report)
    return exits.OK if report.is_sound else exits.FAILED


def _patience() -> float:
    """Some seconds more than a file has: what stops it from within comes first."""
    return settings.get_float("core", "dagbag_import_timeout", 30.0, at_least=0) + 5.0


def _pools(args: argparse.Namespace) -> set[str]:
    """Those of the database, if there is one."""
    if not os.path.exists(arguments.database(args)):  # noqa: PTH110  :memory: is no path
        return set()
    with reading.reading(args) as reader:
        return {row[0] for row in reader.fetch("pools")}


def _shape(report: Report) -> dict[str, object]:
    findings = [finding._asdict() for finding in report.findings]
    return {"ok": report.is_sound, "files": report.files, "dags": report.dags, "findings": findings}


def _print(report: Report) -> None:
    for finding in report.findings:
        print(_line(finding))
    counts = [
        render.plural(sum(finding.level == level for finding in report.findings), level)
        for level in ("error", "warning", "hint")
    ]
    print(f"{render.plural(report.files, 'file')}, {render.plural(report.dags, 'DAG')}: {', '.join(counts)}")


def _line(finding: Finding) -> str:
    """`file:line: level: DAG.task: what. Way out (kind)`, as editors read it."""
    file = os.path.relpath(finding.file)
    file = finding.file if file.startswith("..") else file
    whose = ", ".join(f"{word} {name}" for word, name in (("DAG", finding.dag), ("task", finding.task)) if name)
    text = f"{file}:{finding.line}: {finding.level}: {f'{whose}: ' if whose else ''}{finding.text}; {finding.way_out} [{finding.check}]"
    return render.printable(" ".join(text.split()))
