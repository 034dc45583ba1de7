"""What is done to a file before it is checked: each scenario is one file's story."""

from __future__ import annotations

import os
import platform
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import child, journal, workload
from .checker import Violation, marked
from .child import LOST, MARK, OWNED, Life
from .driver import PATIENCE, Result, finish, judge, kill, live, wait, wait_for

_BY_SIGNAL = 128 + signal.SIGTERM
"""How a process ends that was asked to twice."""


def random_kills(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F1, F8: 2 to 6 lives under load, each killed after 0 to 300 ms, some of them after they stood still."""
    rng = random.Random(seed)
    life = Life(folder, dags=seed, seed=0, mode="load", durability=rng.choice(("full", "process")), plant=plant)
    result = Result()
    for number in range(rng.randint(2, 6)):
        one = replace(life, seed=number + 1)
        pid = child.start(one)
        code = wait(pid, rng.random() * 0.3)
        if code is None and rng.random() < 0.2:
            os.kill(pid, signal.SIGSTOP)
            wait(pid, rng.random() * 0.2)
            os.kill(pid, signal.SIGCONT)
            code = wait(pid, rng.random() * 0.1)
        if code is None:
            kill(pid)
            result.kills += 1
        else:
            judge(result, one, code)
    result.add(finish(life, ticks=True, patience=patience))
    return result


def signals(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F7: SIGTERM at a random moment; alone, twice, or with SIGKILL on its heels."""
    rng = random.Random(seed)
    life = Life(folder, dags=seed, seed=0, mode="load", plant=plant)
    result = Result()
    for number in range(rng.randint(2, 4)):
        one = replace(life, seed=number + 1)
        pid = child.start(one)
        code = wait_for(one, "open", pid) if rng.random() < 0.8 else None
        code = wait(pid, rng.random() * 0.3) if code is None else code
        if code is None:
            os.kill(pid, signal.SIGTERM)
            result.kills += 1
            how = rng.choice(("once", "twice", "killed"))
            code = None if how == "once" else wait(pid, rng.random() * 0.05)
            if code is None and how != "once":
                os.kill(pid, signal.SIGTERM if how == "twice" else signal.SIGKILL)
            code = wait(pid, PATIENCE) if code is None else code
        if code is None:
            kill(pid)
            result.broken("I10", f"it did not end within {PATIENCE:g} s of SIGTERM")
        else:
            judge(result, one, code, _BY_SIGNAL, -signal.SIGTERM)
    result.add(finish(life, ticks=True, patience=patience))
    return result


def races(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F23: two processes open one file at once, ten times; one leads, the other names its process and host."""
    life = Life(folder, dags=seed, seed=0, mode="race", plant=plant)
    result = Result()
    for number in range(10):
        (folder / "enough").unlink(missing_ok=True)
        told = len(journal.read(life.journal))
        pair = [child.start(replace(life, seed=number)) for _ in range(2)]
        codes = _until_one_is_refused(folder, pair)
        facts = journal.read(life.journal)[told:]
        result.found += _judge_race(pair, codes, facts)
    result.add(finish(life, ticks=False, patience=patience))
    return result


def _until_one_is_refused(folder: Path, pair: list[int]) -> list[int | None]:
    codes: dict[int, int | None] = {}
    for _ in range(2_000):
        for pid in set(pair) - codes.keys():
            if (code := wait(pid, 0.005)) is not None:
                codes[pid] = code
        if codes:
            (folder / "enough").touch()
        if len(codes) == 2:
            break
    for pid in set(pair) - codes.keys():
        kill(pid)
    return [codes.get(pid) for pid in pair]


def _judge_race(pair: list[int], codes: list[int | None], facts: list[dict[str, object]]) -> list[Violation]:
    leaders = [fact["pid"] for fact in facts if fact["kind"] == "open"]
    if sorted(codes, key=str) != [0, OWNED] or len(leaders) != 1:
        return [Violation("I4", f"of two that opened the file one should lead: {codes}, opened by {leaders}")]
    (refused,) = [fact for fact in facts if fact["kind"] == "refused"]
    if (refused["pid"], refused["host"]) != (leaders[0], platform.node()) or pair[codes.index(0)] != leaders[0]:
        return [Violation("I12", f"the owner is {leaders[0]}; the refusal says {refused['text']}")]
    return []


def killer(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F40: a task that takes the process down does so three times."""
    life = Life(folder, dags=seed, seed=0, mode=workload.KILLER, plant=plant)
    result = Result()
    for number in range(6):
        one = replace(life, mode=workload.KILLER if number == 0 else "end")
        code = wait(pid := child.start(one), PATIENCE)
        if code is None:
            kill(pid)
            result.broken("I10", "the task that kills its process neither did nor ended")
        elif code == 0:
            break
        else:
            judge(result, one, code)
            result.kills += 1
    if result.kills != 3:
        result.broken("I2", f"a task took the process down {result.kills} times")
    result.add(finish(life, ticks=False, patience=patience))
    return result


def live_bash(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F10, F45: an engine is killed over a command that lives on; the next one ends it before it starts it again."""
    life = Life(folder, dags=seed, seed=0, mode=workload.SLEEPER, plant=plant)
    result, pid = Result(kills=1), child.start(life)
    if (code := wait_for(life, "asleep", pid)) is not None:
        judge(result, life, code, 1)
        result.broken("child", f"the engine ended with {code} before its command slept")
        return result
    kill(pid)
    sleeping = [int(fact["pid"]) for fact in journal.read(life.journal) if fact["kind"] == "asleep"]
    if not set(sleeping) <= set(marked(MARK, str(life.db))):
        result.broken("child", "the command was to outlive its engine")
    result.add(finish(life, ticks=False, patience=patience))
    return result


def forked(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F25: a body forks a process that outlives the owner; the file is free all the same."""
    life = Life(folder, dags=seed, seed=0, mode=workload.FORKER, plant=plant)
    result, pid = Result(kills=1), child.start(life)
    code = wait(pid, PATIENCE)
    outliving = [int(fact["pid"]) for fact in journal.read(life.journal) if fact["kind"] == "forked"]
    if code != -signal.SIGKILL or len(outliving) != 1:
        result.broken("child", f"the owner ended with {code}, and {outliving} outlived it")
    result.add(live(replace(life, mode="end"), patience))
    for left in outliving:
        os.kill(left, signal.SIGKILL)
    result.add(finish(life, ticks=False, patience=patience))
    return result


def former_owner(folder: Path, seed: int, *, plant: str | None = None, patience: float = PATIENCE) -> Result:
    """F8, F27: an owner is stopped, its lock file is lost, another works; the first wakes and must write no more."""
    life = Life(folder, dags=seed, seed=1, mode="load", plant=plant)
    result, first = Result(kills=1), child.start(life)
    if (code := wait_for(life, "open", first)) is not None:
        result.broken("child", f"the first owner ended with {code}")
        return result
    for _ in range(10):
        wait(first, 0.1)
        os.kill(first, signal.SIGSTOP)
        life.db.with_name("flow.db.lock").unlink(missing_ok=True)
        other = live(replace(life, seed=2, mode="tick"))
        os.kill(first, signal.SIGCONT)
        if not any("SQLITE_BUSY" in violation.what for violation in other.found):
            break  # else it was stopped inside a transaction: it still owns the file, and nobody took over
    result.add(other)
    code = wait(first, 5.0)
    if code is None:
        kill(first)
    if code != LOST:
        how = "is still there after 5 s" if code is None else f"ended with {code}"
        result.broken("I3", f"a former owner did not notice that it lost the file: it {how}")
    result.add(finish(life, ticks=True))
    return result


def shim_point(folder: Path, number: int, seed: int, *, torn: bool, again: tuple[int, ...] = ()) -> tuple[bool, Result]:
    """F2, F3: die at the number-th write, then at those of `again` in the recoveries. False: none was reached."""
    life = Life(folder, dags=seed, seed=0, mode="few", durability="full", torn=torn)
    died, result = False, Result()
    for level, point in enumerate((number, *again)):
        one = replace(life, seed=level + 1, die_at=point)
        pid = child.start(one)
        code = wait(pid, PATIENCE)
        if code is None:
            kill(pid)
            result.broken("I10", f"the life that dies at write {point} did not end")
        else:
            judge(result, one, code)
            result.kills += code == -signal.SIGKILL
            died |= level == 0 and code == -signal.SIGKILL
    result.add(finish(life, ticks=False))
    return died, result


Scenario = Callable[..., Result]
SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (random_kills, signals, races, killer, live_bash, forked, former_owner)
}


def of_seed(seed: int) -> Scenario:
    """Mostly random kills; the others in turn."""
    rare = {4: signals, 9: signals, 10: races, 20: killer, 30: live_bash, 40: forked, 0: former_owner}
    return rare.get(seed % 50) or rare.get(seed % 10 if seed % 10 in (4, 9) else -1) or random_kills
