"""The crash campaign: `python -m tests.crash --iterations N --seed S`.

Each iteration is one database file: several lives killed at random moments, one without faults, the checker.
`--sweep N` kills at a write or synchronisation, N times (0: until none is left), each also torn and during the
recovery. `--plant NAME` plants a bug: the campaign then succeeds if it is revealed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import driver, plants, shim
from .checker import Violation


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if options.sweep is not None:
        shim.restart_with_shim(arguments)
        if not shim.is_loaded():
            print("skipped: the sweep needs gcc")
            return 0
    began = time.monotonic()
    count, found = _campaign(options)
    minutes = (time.monotonic() - began) / 60
    print(f"{count} iterations, {found} with violations, {count / minutes:.0f} iterations a minute")
    expected = bool(options.plant) and not options.expect_none
    return int(expected != (found > 0))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sweep", type=int, metavar="N")
    parser.add_argument("--first", type=int, default=1, help="of the sweep: the write to begin with")
    parser.add_argument("--step", type=int, default=1, help="of the sweep: every STEP-th write")
    parser.add_argument("--plant", choices=sorted(plants.PLANTS))
    parser.add_argument("--former-owner", action="store_true", help="only owners that are stopped and wake up")
    parser.add_argument("--expect-none", action="store_true", help="a plant that must change nothing")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    return parser.parse_args(arguments)


def _campaign(options: argparse.Namespace) -> tuple[int, int]:
    if options.sweep is not None:
        return _sweep(options)
    number = bad = 0
    for number in range(1, options.iterations + 1):
        seed = options.seed * 1_000_003 + number
        with driver.workplace(str(seed), keep=options.keep) as folder:
            found = _iteration(folder, seed, options)
        _report(f"--seed {options.seed} iteration {number}", found)
        bad += bool(found)
        if found and options.plant:
            break
    return number, bad


def _iteration(folder: Path, seed: int, options: argparse.Namespace) -> list[Violation]:
    plant = options.plant
    if options.former_owner or plant == "no_epoch_guard" or (plant is None and seed % 10 == 0):
        return driver.former_owner(folder, seed, plant=plant)
    return driver.random_kills(folder, seed, plant=plant, patience=8.0 if plant else driver.PATIENCE)


def _sweep(options: argparse.Namespace) -> tuple[int, int]:
    point, count, bad = options.first, 0, 0
    while not options.sweep or count < options.sweep:
        died_at_all = False
        for torn, again in ((False, ()), (True, (1 + point % 7, 1 + point % 11))):
            with driver.workplace(f"write{point}", keep=options.keep) as folder:
                died, found = driver.shim_point(folder, point, options.seed, torn=torn, again=again)
            died_at_all |= died
            count, bad = count + 1, bad + bool(found)
            _report(f"--sweep 2 --first {point} --seed {options.seed} torn={torn} again={again}", found)
        if not died_at_all:
            break
        point += options.step
    print(f"the sweep ended at write {point}")
    return count, bad


def _report(where: str, found: list[Violation]) -> None:
    for violation in found[:10]:
        print(f"{where}: {violation.invariant} {violation.what}")
    if len(found) > 10:
        print(f"{where}: and {len(found) - 10} more")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
