"""The crash campaign: `python -m tests.crash --iterations N --seed S`.

Each iteration is one database file: several lives, most of them killed at random moments, one without faults,
the checker. `--scenario NAME` does one kind only. `--sweep N` kills at a write or synchronisation, N times (0:
until none is left), each also torn and at two to five levels of recovery. `--plant NAME` plants a bug: the
campaign then succeeds if it is revealed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from . import driver, plants, preload, scenarios, shim
from .driver import Result
from .scenarios import Scenario


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if options.sweep is not None:
        shim.restart_with_shim(arguments)
        if not shim.is_loaded():
            print("skipped: the sweep needs gcc")
            return 0
    preload.everything()
    began = time.monotonic()
    count, bad, total = _campaign(options)
    minutes = (time.monotonic() - began) / 60
    print(f"{count} iterations, {bad} with violations, {count / minutes:.0f} iterations a minute")
    print(
        f"{total.kills} kills, {total.acknowledged} acknowledged transitions checked, {total.count('I1')} lost,"
        f" {total.count('I2', 'I3')} doubled, {total.count('I9')} integrity errors"
    )
    expected = bool(options.plant) and not options.expect_none
    return int(expected != (bad > 0))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", choices=sorted(scenarios.SCENARIOS))
    parser.add_argument("--each", action="store_true", help="one iteration of each scenario")
    parser.add_argument("--sweep", type=int, metavar="N")
    parser.add_argument("--first", type=int, default=1, help="of the sweep: the write to begin with")
    parser.add_argument("--step", type=int, default=1, help="of the sweep: every STEP-th write")
    parser.add_argument("--plant", choices=sorted(plants.PLANTS))
    parser.add_argument("--expect-none", action="store_true", help="a plant that must change nothing")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    return parser.parse_args(arguments)


def _campaign(options: argparse.Namespace) -> tuple[int, int, Result]:
    if options.sweep is not None:
        return _sweep(options)
    number = bad = 0
    total = Result()
    for number, scenario in enumerate(_scenarios(options), 1):
        seed = options.seed * 1_000_003 + number
        with driver.workplace(str(seed), keep=options.keep) as folder:
            patience = 8.0 if options.plant else driver.PATIENCE
            result = (scenario or scenarios.of_seed(seed))(folder, seed, plant=options.plant, patience=patience)
        _report(f"--seed {options.seed} iteration {number}", result)
        bad += bool(result.found)
        total.add(result)
        if result.found and options.plant:
            break
    return number, bad, total


def _scenarios(options: argparse.Namespace) -> list[Scenario | None]:
    """One per iteration; None: by its seed."""
    if options.each:
        return list(scenarios.SCENARIOS.values())
    name = options.scenario or plants.REVEALED_BY.get(options.plant)
    return [scenarios.SCENARIOS[name] if name else None] * options.iterations


def _sweep(options: argparse.Namespace) -> tuple[int, int, Result]:
    point, count, bad, total = options.first, 0, 0, Result()
    while not options.sweep or count < options.sweep:
        rng = random.Random(point)
        levels = tuple(rng.randint(1, 40) for _ in range(rng.randint(1, 4)))
        died_at_all = False
        for torn, again in ((False, ()), (True, levels)):
            with driver.workplace(f"write{point}", keep=options.keep) as folder:
                died, result = scenarios.shim_point(folder, point, options.seed, torn=torn, again=again)
            died_at_all |= died
            count, bad = count + 1, bad + bool(result.found)
            total.add(result)
            _report(f"--sweep 2 --first {point} --seed {options.seed} torn={torn} again={again}", result)
        if not died_at_all:
            break
        point += options.step
    print(f"the sweep ended at write {point}")
    return count, bad, total


def _report(where: str, result: Result) -> None:
    for violation in result.found[:10]:
        print(f"{where}: {violation.invariant} {violation.what}")
    if len(result.found) > 10:
        print(f"{where}: and {len(result.found) - 10} more")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
