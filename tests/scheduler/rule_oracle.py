"""The 13 trigger rules once more, from the table and its notes alone, over lists of states.

S success, F failed, K skipped, U upstream_failed, R removed, `.` not finished. Written without the rules'
code, so that a start or a skip that the scheduler decides has a second opinion.
"""

from __future__ import annotations

from itertools import combinations

_LETTERS = {"success": "S", "failed": "F", "skipped": "K", "upstream_failed": "U", "removed": "R"}


def letters(states: list[str]) -> str:
    """States as letters."""
    return "".join(_LETTERS.get(state, ".") for state in states)


def verdict(rule: str, ups: str) -> str:
    """run, wait, skipped or upstream_failed for a task with these direct upstreams."""
    if not ups or rule == "always":
        return "run"
    return _TABLE[rule](ups)


def verdicts_on_the_way(rule: str, ups: str, news: list[int]) -> set[str]:
    """What the rule may have said while the upstreams at the places `news` ended in any order: rules are eager."""
    found = set()
    for size in range(len(news) + 1):
        for late in combinations(news, size):
            found.add(verdict(rule, "".join("." if at in late else letter for at, letter in enumerate(ups))))
    return found


def _all_success(ups: str) -> str:
    if "F" in ups or "U" in ups:
        return "upstream_failed"
    if "K" in ups:
        return "skipped"
    return "wait" if "." in ups else "run"


def _all_failed(ups: str) -> str:
    if "S" in ups or "K" in ups:
        return "skipped"
    return "wait" if "." in ups else "run"


def _all_done(ups: str) -> str:
    return "wait" if "." in ups else "run"


def _all_done_min_one_success(ups: str) -> str:
    if "K" in ups:
        return "skipped"
    if "." in ups:
        return "wait"
    return "run" if "S" in ups else "upstream_failed"


def _all_skipped(ups: str) -> str:
    if set(ups) & set("SFU"):
        return "skipped"
    if "." in ups:
        return "wait"
    return "run" if set(ups) == {"K"} else "wait"


def _one_success(ups: str) -> str:
    if "S" in ups:
        return "run"
    if "." in ups:
        return "wait"
    return "skipped" if set(ups) == {"K"} else "upstream_failed"


def _one_failed(ups: str) -> str:
    if "F" in ups or "U" in ups:
        return "run"
    return "wait" if "." in ups else "skipped"


def _one_done(ups: str) -> str:
    if "S" in ups or "F" in ups:
        return "run"
    return "wait" if "." in ups else "skipped"


def _none_failed(ups: str) -> str:
    if "F" in ups or "U" in ups:
        return "upstream_failed"
    return "wait" if "." in ups else "run"


def _none_failed_min_one_success(ups: str) -> str:
    if "F" in ups or "U" in ups:
        return "upstream_failed"
    if "." in ups:
        return "wait"
    if set(ups) == {"K"}:
        return "skipped"
    return "run" if "S" in ups else "upstream_failed"


def _none_skipped(ups: str) -> str:
    if "K" in ups:
        return "skipped"
    return "wait" if "." in ups else "run"


_TABLE = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "all_done_setup_success": _all_done,
    "all_done_min_one_success": _all_done_min_one_success,
    "all_skipped": _all_skipped,
    "one_success": _one_success,
    "one_failed": _one_failed,
    "one_done": _one_done,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
}
RULES = (*sorted(_TABLE), "always")
