"""What the scripts share: arguments, rounds that alternate with the limit, processes of their own, the table.

`python figures.py SCRIPT FUNCTION JSON` calls a function of a script in this process and prints its answer.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment of a process whose modules are compiled once, as those of an installed package are."""


class Figure(NamedTuple):
    """One measured claim. `limit` is what stands beside it, `target` what it may be."""

    what: str
    unit: str
    flowlet: float
    limit: float | None = None
    target: str = ""
    ratio: float | None = None
    """To the limit: the median of the rounds' own ratios, where there were rounds."""

    def line(self) -> str:
        beside = "" if self.limit is None else f"(limit {self.limit:g})"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} x"
        return f"{self.what:<46} {self.flowlet:>9g} {self.unit:<12} {beside:<16} {ratio:>8}  {self.target}".rstrip()


class Rounds(NamedTuple):
    """What both gave, round by round."""

    ours: list[float]
    theirs: list[float]

    def figure(self, what: str, unit: str, *, scale: float = 1.0, target: str = "") -> Figure:
        """Medians, and the median of the ratios: noise of the machine falls on both halves of a round."""
        ratio = statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))
        return Figure(what, unit, _round(self.ours, scale), _round(self.theirs, scale), target, round(ratio, 2))


def rounds(count: int, ours: Callable[[], float], theirs: Callable[[], float]) -> Rounds:
    """Measure in turn, each after a collection of garbage, so that neither pays for the other's."""
    found = Rounds([], [])
    for _ in range(count):
        for measure, into in ((theirs, found.theirs), (ours, found.ours)):
            gc.collect()
            into.append(measure())
    return found


def beside(what: str, unit: str, ours: float, limit: float, target: str = "") -> Figure:
    """A figure of one measurement each."""
    return Figure(what, unit, round(ours, 3), round(limit, 3), target, round(ours / limit, 2) if limit else None)


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def arguments(doc: str | None, *, rounds: int | None = None, **options: int | str) -> argparse.Namespace:
    """`--json`, `--rounds` and whatever else a script lets be chosen, with its default."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help="the median of so many")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default {default}")
    return parser.parse_args()


def show(figures: Iterator[Figure], *, as_json: bool) -> None:
    """Print each when it is measured, or all as JSON."""
    found = []
    for figure in figures:
        found.append(figure._asdict())
        if not as_json:
            print(figure.line(), flush=True)
    if as_json:
        print(json.dumps({"figures": found}, indent=1))


def in_a_process(script: str, function: str, **given: Any) -> Any:
    """Call a function of a script in a process of its own: nothing that came before weighs on it."""
    command = [sys.executable, str(FOLDER / "figures.py"), script, function, json.dumps(given)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def seconds_of(command: list[str], cwd: str | None = None) -> float:
    """A whole process, from start to exit."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=cwd, env=COMPILED)
    return time.perf_counter() - begun


def memory_mb(kind: str = "VmHWM") -> float:
    """Of this process: VmHWM is the peak, VmRSS what it holds now (proc(5)). A peak of getrusage(2) would
    count the parent's memory in, from before exec."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(kind):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError(f"no {kind} in /proc/self/status")


def _round(values: list[float], scale: float) -> float:
    return float(f"{statistics.median(values) * scale:.4g}")


if __name__ == "__main__":
    script, function, given = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(script), function)(**json.loads(given))))
