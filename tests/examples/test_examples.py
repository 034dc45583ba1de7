"""Every example runs, and gives what it says."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowlet.registry.loading import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, **options: Any) -> dict[str, Any]:
    loaded = load_file(EXAMPLES / f"{name}.py")
    assert not loaded.problems
    (dag,) = loaded.dags
    shape: dict[str, Any] = dag.test(**options).as_dict()
    return shape


def test_hello() -> None:
    shape = run("hello")
    assert shape["tasks"] == {"print_hello": "success", "list_files": "success"}


def test_weather_loads_twelve_months(tmp_path: Path) -> None:
    shape = run("weather", conf={"db": str(tmp_path / "weather.sqlite")})
    assert shape["state"] == "success", shape["reasons"]
    assert shape["xcoms"]["load:return_value"] == 12
    assert "12 months loaded, 0 rows rejected" in shape["xcoms"]["report:return_value"]


def test_weather_counts_what_it_rejects_and_replaces_what_it_loaded(tmp_path: Path) -> None:
    source = tmp_path / "temps.csv"
    conf = {"db": str(tmp_path / "weather.sqlite"), "source": str(source)}
    source.write_text("date,temp\n2010/01/01 00:00,32\n2010/02/01 00:00,50\n")
    assert run("weather", conf=conf)["state"] == "success"

    bad = "2010/13/01 00:00,32\n2010/02/02 00:00,999\n2010/02/02 01:00,nan\n2010/02/02 02:00\n"
    source.write_text("date,temp\n2010/01/01 00:00,212\n2010/02/01 00:00,50\n" + bad)
    for _ in range(2):
        shape = run("weather", conf=conf)
        assert shape["xcoms"]["report:return_value"].endswith("1 months loaded, 5 rows rejected")
        with closing(sqlite3.connect(conf["db"])) as db:
            assert db.execute("SELECT * FROM months").fetchall() == [(2, 10.0, 10.0, 10.0)]


def test_branching_takes_one_way() -> None:
    assert run("branching")["tasks"]["large"] == "skipped"
    assert run("branching", conf={"size": 1000})["tasks"]["small"] == "skipped"


def test_retries_succeeds_at_the_third_try() -> None:
    shape = run("retries")
    assert (shape["state"], shape["tries"], shape["errors"]) == (
        "success",
        {"flaky": 3},
        {"flaky": ["ConnectionError", "ConnectionError"]},
    )


def test_sensor_sees_the_file() -> None:
    assert run("sensor")["xcoms"]["read:return_value"] == "ready"


def test_fanout_http_adds_up_all_pages() -> None:
    shape = run("fanout_http")
    assert shape["xcoms"]["total:return_value"] == sum(page**2 for page in range(20))


def test_embedded() -> None:
    import runpy

    names = runpy.run_path(str(EXAMPLES / "embedded.py"))
    assert asyncio.run(names["main"]()) == "hello flowlet"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_every_example_loads_without_running_anything(file: Path) -> None:
    assert not load_file(file).problems
