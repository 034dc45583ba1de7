"""`flowlet check`: what is wrong with files of DAGs, before they run."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from flowlet import settings
from flowlet.cli import arguments, exits, files, reading, render
from flowlet.cli.exits import CommandError

if TYPE_CHECKING:
    from flowlet.checking.findings import Finding
    from flowlet.checking.whole import Report
    from flowlet.registry.loading import Loaded


def check(args: argparse.Namespace) -> int:
    """Look at all files; 1 if something in them will not work."""
    from flowlet.checking import whole
    from flowlet.clock import SystemClock

    files.understand_airflow()
    report = whole.check(args.paths, _load, now=SystemClock().now(), pools=_pools(args))
    if args.json:
        render.json_(_shape(report))
    else:
        _print(report)
    return exits.OK if report.is_sound else exits.FAILED


def _load(path: str) -> Loaded:
    from flowlet.registry.loading import load_file

    timeout = settings.get_float("core", "dagbag_import_timeout", 30.0, at_least=0)
    with redirect_stdout(sys.stderr):  # standard output is for the findings
        loaded = load_file(path, timeout=timeout)
    for problem in loaded.problems:
        if problem.kind == "KeyboardInterrupt":
            raise CommandError(str(problem), exits.INTERRUPTED)
    return loaded


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
