"""What people see of rendered fields: plain JSON, no secrets, cut, whatever the values are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet import BaseOperator
from flowlet.worker import secrets
from flowlet.worker.secrets import Secrets
from flowlet.worker.shown import label, shown, shown_fields


class Query(BaseOperator):
    template_fields: ClassVar = ("sql", "parameters", "absent", "hook_params")

    def __init__(self, sql: Any = None, parameters: Any = None, hook_params: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql, self.parameters, self.hook_params = sql, parameters, hook_params


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    """The secrets of a process that has learnt none yet."""
    fresh = Secrets()
    monkeypatch.setattr("flowlet.worker.shown.SECRETS", fresh)
    assert secrets.SECRETS is not fresh
    return fresh


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        ("SELECT 1", "SELECT 1"),
        ([1, (2, 3.5)], [1, [2, 3.5]]),
        ({1: {"a": None, "b": True}}, {"1": {"a": None, "b": True}}),
        ({7}, [7]),
        (float("inf"), "inf"),
        (datetime(2026, 1, 31, 6, tzinfo=UTC), "2026-01-31T06:00:00+00:00"),
        ([date(2026, 1, 31), timedelta(hours=1), Decimal("1.50"), Path("a/b"), b"ab"], ["2026-01-31", "1:00:00", "1.50", "a/b", "ab"]),
        (len, "builtins.len"),
        (subprocess.run, "subprocess.run"),
    ],
)
def test_a_value_is_shown_as_plain_json(value: Any, json_value: Any) -> None:
    assert shown("field", value) == json_value


def test_an_object_is_spelt_the_same_in_every_process() -> None:
    class Thing:
        pass

    assert " at 0x" not in shown("field", [Thing()])[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.complex_numbers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner) | st.frozensets(st.text()),
    )
)
def test_whatever_it_is_it_is_json_of_bounded_length(value: Any) -> None:
    found = shown("field", value)
    text = json.dumps(found, allow_nan=False)
    assert len(found if isinstance(found, str) else text) <= 4096


def test_fields_that_hold_nothing_are_there_too() -> None:
    assert shown_fields(Query(task_id="q", sql="SELECT 1", parameters={}, hook_params=0)) == {
        "sql": "SELECT 1", "parameters": {}, "absent": None, "hook_params": 0,
    }  # fmt: skip


def test_what_is_too_long_is_cut_with_a_word_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown("sql", "x" * 5000)
    assert (len(found), found[:11], found[-3:]) == (4096, "Truncated. ", "...")
    assert shown("sql", "x" * 4096) == "x" * 4096
    assert isinstance(shown("rows", list(range(800))), list)
    assert shown("rows", list(range(2_000))).startswith("Truncated. See FLOWLET__CORE__MAX_TEMPLATED_FIELD_LENGTH: [0, 1, 2")
    monkeypatch.setenv("FLOWLET__CORE__MAX_TEMPLATED_FIELD_LENGTH", "100000")
    assert shown_fields(Query(task_id="q", sql="x" * 5000))["sql"] == "x" * 5000


def test_of_a_long_value_no_more_is_looked_at_than_is_shown() -> None:
    looked_at = 0

    class Row(str):
        __slots__ = ()

        def __getitem__(self, index: Any) -> str:
            nonlocal looked_at
            looked_at += 1
            return str.__getitem__(self, index)

    shown("rows", [Row("x" * 100)] * 1_000_000)
    assert looked_at < 100


def test_no_secret_is_shown_wherever_it_stands(known: Secrets) -> None:
    known.add("hunter22")
    assert shown("sql", "a hunter22 b") == "a *** b"
    assert shown("env", {"hunter22": ["x", ("hunter22",)]}) == {"***": ["x", ["***"]]}
    assert label("batch hunter22") == "batch ***"


def test_what_stands_under_a_name_that_speaks_of_a_secret_is_hidden() -> None:
    env = {"PASSWORD": "a", "tokens": ["b", {"c": "d"}], "api_key": 1, "USER": "me"}
    assert shown("env", env) == {"PASSWORD": "***", "tokens": ["***", {"c": "***"}], "api_key": 1, "USER": "me"}
    assert shown("password", "a") == "***"


def test_a_secret_is_masked_before_it_is_cut(known: Secrets) -> None:
    known.add("hunter22")
    for before in range(0, 9000, 7):
        found = shown("sql", "x" * before + "hunter22" * 3000)
        assert "hunter" not in found
        assert "unter22" not in found


def test_a_secret_across_the_place_where_a_long_text_is_cut_is_not_shown_in_part(known: Secrets) -> None:
    known.add("s3cr3tvalue" * 100)  # what is masked is far shorter: the end of what is looked at is shown
    for shift in range(1100):
        found = shown("sql", "." * shift + ("s3cr3tvalue" * 100) * 30)
        assert "s3cr3t" not in found


def test_objects_that_do_not_speak_cost_nobody_the_task() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no")

    loop: list[Any] = []
    loop.append(loop)
    assert shown_fields(Query(task_id="q", sql=Mute())) == {**dict.fromkeys(Query.template_fields), "sql": "<Mute: RuntimeError when it was to be shown>"}
    assert json.dumps(shown("x", loop))
    assert shown("x", 10**5000) == "<int: ValueError when it was to be shown>"


def test_a_label_ends_where_airflows_does() -> None:
    assert label("x" * 300) == "x" * 250
    assert label("half \ud800").encode()


def test_where_nothing_is_rendered_it_is_not_imported(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom flowlet import DAG, task\n"
        "with DAG('d') as dag:\n"
        "    @task\n    def a(x=1): return 1\n    a(a.override(task_id='b')())\n"
        "assert dag.test().state == 'success'\n"
        "assert 'flowlet.worker.shown' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=60)
