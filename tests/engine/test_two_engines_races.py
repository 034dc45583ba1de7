"""Several engines that open one file at the same moment, under whatever name: one leads, the others are told by whom."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

import pytest

from flowlet import DAG, EmptyOperator, Engine, StoreOwned

pytestmark = pytest.mark.anyio


def a_dag() -> DAG:
    with DAG("dag") as dag:
        EmptyOperator(task_id="nothing")
    return dag


def engine(path: Path | str) -> Engine:
    return Engine(path, dags=[a_dag()], durability="process", control=False)


async def open_all(paths: list[Path | str]) -> tuple[list[Engine], list[StoreOwned]]:
    """All at once: those that lead, and how the others were refused."""
    engines = [engine(path) for path in paths]
    answers = await asyncio.gather(*(one.__aenter__() for one in engines), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, StoreOwned) for error in refused), refused
    return [answer for answer in answers if isinstance(answer, Engine)], refused  # just looked


async def test_of_many_that_open_a_file_at_once_one_leads_and_the_others_name_it(tmp_path: Path) -> None:
    for _ in range(10):
        leaders, refused = await open_all([tmp_path / "flow.db"] * 5)
        assert len(leaders) == 1
        assert {(error.pid, error.host) for error in refused} == {(os.getpid(), platform.node())}
        run = await leaders[0].trigger("dag")
        assert (await run.wait()).state == "success"
        await leaders[0].__aexit__(None, None, None)


async def test_a_file_under_several_names_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    names: list[Path | str] = ["flow.db", "../folder/flow.db", folder / "flow.db", tmp_path / "link" / "flow.db"]
    async with engine(folder / "flow.db"):
        for name in names:
            with pytest.raises(StoreOwned):
                await engine(name).__aenter__()


async def test_who_was_refused_leads_as_soon_as_the_owner_has_left(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    async with engine(path) as first:
        await (await first.trigger("dag", run_id="mine")).wait()
        with pytest.raises(StoreOwned):
            await engine(path).__aenter__()
    async with engine(path) as second:
        assert (await second.run("dag", "mine")).state == "success"


async def test_each_owner_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    epochs = []
    for _ in range(3):
        async with engine(tmp_path / "flow.db") as one:
            epochs.append((await one._parts()[1].fetch("owner"))[0][0])
    assert epochs == sorted(set(epochs))
