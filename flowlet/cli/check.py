"""`flowlet check`: what is wrong with files of DAGs, before they run."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from flowlet.cli import arguments, exits, files, reading, render

if TYPE_CHECKING:
    from flowlet.checking.findings import Finding
    from flowlet.checking.whole import Report


def check(args: argparse.Namespace) -> int:
    """Look at all files; 1 if something in them will not work."""
    from flowlet.checking import whole
    from flowlet.clock import SystemClock

    report = whole.check(args.paths, files.read, now=SystemClock().now(), pools=_pools(args))
    if args.json:
        render.json_(_shape(report))
    else:
        _print(report)
    return exits.OK if report.is_sound else exits.FAILED


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
