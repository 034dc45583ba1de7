"""Macros: Airflow's own examples (sdk/execution_time/macros.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowlet.worker.accessors import MACROS


def test_dates_move_and_change_their_form() -> None:
    assert MACROS.ds_add("2015-01-01", 5) == "2015-01-06"
    assert MACROS.ds_add("2015-01-06", -5) == "2015-01-01"
    assert MACROS.ds_add("2015-01-06", 0) == "2015-01-06"
    assert MACROS.ds_format("2015-01-01", "%Y-%m-%d", "%m-%d-%y") == "01-01-15"
    assert MACROS.ds_format("1/5/2015", "%m/%d/%Y", "%Y-%m-%d") == "2015-01-05"


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (timedelta(seconds=-3), "a few seconds before"),
        (timedelta(seconds=-30), "30 seconds before"),
        (timedelta(minutes=-1), "1 minute before"),
        (timedelta(hours=5), "5 hours after"),
        (timedelta(days=-3), "3 days before"),
        (timedelta(days=15), "2 weeks after"),
        (timedelta(days=70), "2 months after"),
        (timedelta(days=800), "2 years after"),
    ],
)
def test_how_far_in_words(delta: timedelta, words: str) -> None:
    here = datetime(2026, 1, 1, tzinfo=UTC)
    assert MACROS.datetime_diff_for_humans(here + delta, here) == words
    assert MACROS.datetime_diff_for_humans((here + delta).replace(tzinfo=None), here) == words


def test_how_long_ago_in_words() -> None:
    assert MACROS.datetime_diff_for_humans(datetime(1999, 1, 1, tzinfo=UTC)).endswith("years ago")


def test_modules_and_types() -> None:
    import json
    import uuid

    assert MACROS.json is json
    assert MACROS.uuid is uuid
    assert MACROS.timedelta is timedelta
    assert 0 <= MACROS.random() < 1


@pytest.mark.parametrize("name", ["os", "sys", "find", "_parsed", "nothing"])
def test_what_is_no_macro(name: str) -> None:
    with pytest.raises(AttributeError, match="there is no macro"):
        getattr(MACROS, name)


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "babel.dates", None)
    with pytest.raises(AttributeError, match="needs Babel"):
        MACROS.ds_format_locale("2026-01-01", "%Y-%m-%d", "EEEE", "de")
