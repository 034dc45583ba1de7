"""`flowlet tasks clear`, `flowlet runs clear` and the two `set-state`: what has happened happens again, or counts as done."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from flowlet.cli import arguments, exits, owner, render
from flowlet.cli.exits import CommandError

_FLAGS = ("upstream", "downstream", "past", "future", "only_failed", "only_running")
_MOST_SHOWN = 100


def clear(args: argparse.Namespace) -> int:
    """Show what would be cleared, ask if somebody sits there, and clear it."""
    path, asked = arguments.existing_database(args), _asked(args)
    if args.dry_run or _is_to_be_asked(args):
        found, _ = _clear(path, {**asked, "dry_run": True})
        if args.dry_run or not found or not _show_and_ask(found):
            return _tell(args, "cleared", found if args.dry_run else [], as_list=args.dry_run)
    cleared, owned = _clear(path, asked)
    _tell(args, "cleared", cleared)
    if cleared:
        _note_owner(path, owned=owned)
    return exits.OK


def _clear(path: str, asked: dict[str, Any]) -> tuple[list[Any], bool]:
    return owner.ask(path, "clear", asked, lambda engine: engine.clear(**asked))


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of Engine.clear."""
    asked = {"dag_id": args.dag_id, "run_id": args.run_id}
    asked |= {name: True for name in _FLAGS if getattr(args, name, False)}
    named = [arguments.task(name) for name in getattr(args, "task_ids", ())]
    indexes = [index for _, index in named if index >= 0] + (getattr(args, "map_index", None) or [])
    if indexes and len({task_id for task_id, _ in named}) != 1:
        raise CommandError("an index is one of one task's: clear tasks with an index one by one")
    if named:
        asked["task_ids"] = list(dict.fromkeys(task_id for task_id, _ in named))
    if indexes:
        asked["map_indexes"] = indexes
    return asked | _ranges(args)


def _ranges(args: argparse.Namespace) -> dict[str, Any]:
    """Tasks and runs that are not named one by one."""
    asked: dict[str, Any] = {}
    if (regex := getattr(args, "task_regex", None)) is not None:
        asked["task_regex"] = regex
    for name in ("start_date", "end_date"):
        moment = arguments.logical_date(getattr(args, name, None), f"--{name.replace('_', '-')}")
        if moment is None:
            raise CommandError(f"--{name.replace('_', '-')} must be a date")
        if moment is not arguments.UNSET:
            asked[name] = moment.isoformat()
    return asked


def _is_to_be_asked(args: argparse.Namespace) -> bool:
    """Somebody is there who can answer (Airflow asks whenever there is no --yes)."""
    return not (args.yes or args.json) and sys.stdin is not None and sys.stdin.isatty()


def _show_and_ask(found: list[Any]) -> bool:
    _list(found)
    print(f"Clear {render.plural(len(found), 'task')}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def set_task_state(args: argparse.Namespace) -> int:
    """Mark one task, with its relatives if asked for."""
    task_id, map_index = arguments.task(args.task_id)
    asked = {"dag_id": args.dag_id, "run_id": args.run_id, "task_id": task_id, "state": args.state, "map_index": map_index}
    asked |= {name: True for name in (*_FLAGS, "dry_run") if getattr(args, name, False)}
    path = arguments.existing_database(args)
    marked, owned = owner.ask(path, "set_task_state", asked, lambda engine: engine.set_task_state(**asked))
    _tell(args, "marked", marked, as_list=args.dry_run, state=args.state)
    if marked and not args.dry_run:
        _note_owner(path, owned=owned)
    return exits.OK


def set_run_state(args: argparse.Namespace) -> int:
    """Mark a run."""
    asked = {"dag_id": args.dag_id, "run_id": args.run_id, "state": args.state}

    async def act(engine: Any) -> Any:
        return (await engine.set_run_state(**asked)).as_dict()

    path = arguments.existing_database(args)
    shape, owned = owner.ask(path, "set_run_state", asked, act)
    if args.json:
        render.json_(shape)
    else:
        print(f"{args.run_id} of {args.dag_id} is {shape['state']}" + (f": {shape['reason']}" if shape["reason"] else ""))
    if shape["state"] in ("queued", "running"):
        _note_owner(path, owned=owned)
    return exits.OK


def _tell(args: argparse.Namespace, what: str, tis: list[Any], *, as_list: bool = False, **facts: Any) -> int:
    if args.json:
        rows = [dict(zip(("run_id", "task_id", "map_index"), ti, strict=True)) for ti in tis]
        render.json_({"dag_id": args.dag_id, **facts, "dry_run": args.dry_run, what: rows})
        return exits.OK
    if as_list:
        _list(tis)
    as_what = f" {facts['state']}" if "state" in facts else ""
    would = "would be " if args.dry_run else ""
    print(f"{render.plural(len(tis), 'task')} of {args.dag_id} {would}{what}{as_what}")
    return exits.OK


def _list(tis: list[Any]) -> None:
    for run_id, task_id, map_index in tis[:_MOST_SHOWN]:
        print(f"{run_id}  {task_id if map_index < 0 else f'{task_id}[{map_index}]'}")
    if len(tis) > _MOST_SHOWN:
        print(f"and {len(tis) - _MOST_SHOWN:,} more")


def _note_owner(path: str, *, owned: bool) -> None:
    if not owned:
        render.note(f"no scheduler runs on {path}: `flowlet daemon FILE --db {path}` will go on with it")
