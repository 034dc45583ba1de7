"""`flowlet doctor`: everything around the database that can stand in the way, each with a way out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator

from flowlet import settings
from flowlet.cli import arguments, exits, health, render
from flowlet.cli.health import FAIL, OK, WARN, Finding
from flowlet.errors import FlowletError

Check = Callable[[str], Iterator[Finding]]


def doctor(args: argparse.Namespace) -> int:
    """Look at everything; 1 if something fails."""
    path = arguments.database(args)
    findings = [finding for check in checks() for finding in _look(check, path)]
    failed = any(finding.verdict == FAIL for finding in findings)
    if args.json:
        render.json_({"db": path, "ok": not failed, "findings": [finding._asdict() for finding in findings]})
    else:
        render.table(("CHECK", "", "FINDING"), findings)
    return exits.FAILED if failed else exits.OK


def checks() -> tuple[Check, ...]:
    """All, in the order in which one builds on the other."""
    return (
        health.versions,
        _settings,
        health.clocks,
        health.place,
        health.rights,
        health.file,
        health.owner,
        health.sequence,
        health.log_of_sqlite,
        health.integrity,
        health.task_logs,
    )


def _look(check: Check, path: str) -> Iterator[Finding]:
    """A look that cannot be taken is a finding, too."""
    try:
        yield from check(path)
    except (FlowletError, OSError) as error:
        yield Finding(check.__name__.strip("_").replace("_", " "), FAIL, " ".join(str(error).split()))


def _settings(_path: str) -> Iterator[Finding]:
    """Every variable that is named like a setting is one."""
    from flowlet.scheduler.upkeep import Keep

    unknown = [name for name in os.environ if name.startswith("FLOWLET__") and not _is_spelt_well(name)]
    for name in sorted(unknown):
        yield Finding(
            "settings", WARN, f"{name} is not FLOWLET__SECTION__KEY, so it has no effect: correct or unset it"
        )
    settings.get_int("core", "parallelism", 32, at_least=1)
    Keep.by_settings()
    settings.get_choice("core", "executor", "LocalExecutor", ("LocalExecutor", "SequentialExecutor"))
    zone = _default_timezone()
    yield Finding("settings", OK, f"naive dates are read in {zone}")


def _is_spelt_well(name: str) -> bool:
    words = name.split("__")
    return len(words) == 3 and all(words) and name == name.upper()


def _default_timezone() -> str:
    from flowlet.authoring.dates import default_timezone, zone_of

    name = default_timezone()
    try:
        zone_of(name)
    except (TypeError, ValueError) as error:
        raise settings.SettingError(f"{settings.variable('core', 'default_timezone')}: {error}") from None
    return str(name)
