"""Kill a scheduler at random moments, start it again, check what must hold."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from checker import violations  # noqa: E402  beside this file, also when pytest imports it


def child(db: Path, log: Path, triggers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "child.py"), str(db), str(log), str(triggers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def iteration(seed: int, kills: int = 3) -> list[str]:
    """Some kills -9, a quiet end, and what is broken after it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        db, log = Path(folder) / "flowlet.db", Path(folder) / "journal"
        log.touch()
        for _ in range(kills):
            process = child(db, log, chance.randrange(1, 40))
            try:
                process.communicate(timeout=0.15 + chance.random() * 0.5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        process = child(db, log, 0)
        _, errors = process.communicate(timeout=60)
        if process.returncode:
            return [f"the last start ended with {process.returncode}: {errors.decode()[-2000:]}"]
        return violations(db, log)


def main(iterations: int, seed: int) -> int:
    bad = 0
    for number in range(seed, seed + iterations):
        for text in iteration(number):
            bad += 1
            print(f"seed {number}: {text}")
    print(f"{iterations} iterations from seed {seed}: {bad} violations")
    return 1 if bad else 0
