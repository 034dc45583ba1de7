"""What another process may ask of the owner, over its control socket."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowlet.errors import FlowletError

if TYPE_CHECKING:
    from flowlet.engine.engine import Engine


async def perform(engine: Engine, verb: str, args: dict[str, Any]) -> Any:
    """Carry out one verb; its answer is plain JSON. It is committed when this returns."""
    act = _VERBS.get(verb)
    if act is None:
        raise FlowletError(f"unknown verb {verb!r}; known: {', '.join(sorted(_VERBS))}")
    return await act(engine, **args)


async def _trigger(engine: Engine, dag_id: str, **args: Any) -> Any:
    if isinstance(args.get("logical_date"), str):
        args["logical_date"] = datetime.fromisoformat(args["logical_date"])
    return (await engine.trigger(dag_id, **args)).as_dict()


async def _cancel(engine: Engine, dag_id: str, run_id: str) -> Any:
    return (await engine.cancel(dag_id, run_id)).as_dict()


async def _set_run_state(engine: Engine, dag_id: str, run_id: str, state: str) -> Any:
    return (await engine.set_run_state(dag_id, run_id, state)).as_dict()


async def _pause(engine: Engine, dag_id: str) -> None:
    await engine.pause(dag_id)


async def _unpause(engine: Engine, dag_id: str) -> None:
    await engine.unpause(dag_id)


async def _set_pool(engine: Engine, name: str, slots: int, description: str = "", include_deferred: bool = False) -> None:
    await engine.set_pool(name, slots, description, include_deferred=include_deferred)


async def _delete_pool(engine: Engine, name: str) -> None:
    await engine.delete_pool(name)


async def _pools(engine: Engine) -> Any:
    return await engine.pools()


async def _why(engine: Engine, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    return await engine.why(dag_id, run_id, task_id, map_index)


async def _prune(engine: Engine, keep_days: int | None = None, keep_runs: int | None = None) -> Any:
    return await engine.prune(keep_days=keep_days, keep_runs=keep_runs)


async def _backup(engine: Engine, path: str) -> None:
    await engine.backup(path)


async def _ping(engine: Engine) -> Any:
    return {"dags": engine.dags(), "next_due": engine.next_due(), "trouble": engine.trouble}


def _as_it_is(verb: str) -> Any:
    """A verb whose arguments and answer are plain already."""

    async def act(engine: Engine, **args: Any) -> Any:
        return await getattr(engine, verb)(**args)

    return act


async def _backfill(engine: Engine, **args: Any) -> Any:
    return (await engine.backfill(**args)).as_dict()


def _of_a_backfill(verb: str) -> Any:
    async def act(engine: Engine, id: int) -> Any:  # noqa: A002  as the engine's verb has it
        return (await getattr(engine, verb)(id)).as_dict()

    return act


_OF_A_BACKFILL = ("get_backfill", "pause_backfill", "unpause_backfill", "cancel_backfill")
_AS_THEY_ARE = (
    "answer", "clear", "set_task_state",
    "set_variable", "set_variables", "set_connections", "get_variable", "delete_variable", "variables", "set_connection", "delete_connection", "connections",
)  # fmt: skip
_VERBS: dict[str, Any] = {
    **{verb: _as_it_is(verb) for verb in _AS_THEY_ARE},
    **{verb: _of_a_backfill(verb) for verb in _OF_A_BACKFILL},
    "backfill": _backfill,
    "trigger": _trigger, "cancel": _cancel, "set_run_state": _set_run_state, "pause": _pause, "unpause": _unpause, "set_pool": _set_pool,
    "delete_pool": _delete_pool, "pools": _pools, "why": _why, "prune": _prune, "backup": _backup, "ping": _ping,
}  # fmt: skip
