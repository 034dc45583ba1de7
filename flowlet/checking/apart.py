"""Looking at files in a process of its own: one that hangs it or ends it is named, and the others are looked at.

The process says which file it loads before it does. If it dies, or says nothing for too long, that file
is left out and the look starts again: the rare file costs time, all others nothing but a fork.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowlet.checking.findings import ERROR, Finding
from flowlet.checking.whole import Report

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Look = Callable[[frozenset[str], Callable[[str], None]], Report]
"""Looks at all files but those to leave out, and tells the name of each before it is loaded."""


def look_apart(look: Look, *, patience: float) -> Report:
    """The report of `look`, with a finding for each file that took its process down or outlasted `patience` seconds."""
    if not hasattr(os, "fork"):
        return look(frozenset(), lambda _: None)
    lost: dict[str, Finding] = {}
    while True:
        report = _once(look, lost, patience)
        if report is not None:
            return report._replace(
                files=report.files + len(lost),
                findings=sorted([*report.findings, *lost.values()], key=lambda finding: (finding.file, finding.line)),
            )


def _once(look: Look, lost: dict[str, Finding], patience: float) -> Report | None:
    """One process; None if a file ended it, which is then among the lost."""
    from multiprocessing import get_context

    fork = get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    child = fork.Process(target=_look_and_tell, args=(look, frozenset(lost), theirs), name="flowlet check")
    child.start()
    theirs.close()
    file = None
    try:
        while ours.poll(patience):
            told = ours.recv()
            if isinstance(told, Report):
                return told
            file = told
        text = f"took longer than {patience:.0f} s to load, and could not be stopped from within"
    except EOFError:
        child.join(patience)
        text = f"ends the process while it is loaded (exit status {child.exitcode})"
    finally:
        child.kill()
        child.join()
        ours.close()
    if file is None:
        raise RuntimeError("the process that looks at the files ended before the first of them")
    lost[file] = Finding(ERROR, "loading", file, 1, None, None, text, "the file gives no DAGs until this is mended")
    return None


def _look_and_tell(look: Look, left_out: frozenset[str], parent: Connection) -> None:
    os.dup2(2, 1)  # what the files print, also through other processes, is no finding
    parent.send(look(left_out, parent.send))
