"""Settings come from the environment; a wrong one is named."""

from __future__ import annotations

import pytest

from flowlet import settings
from flowlet.errors import FlowletError


def test_a_setting_is_named_as_airflow_names_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__EXECUTOR", " LocalExecutor ")

    assert settings.get("core", "executor", "x") == "LocalExecutor"


def test_an_empty_setting_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__PARALLELISM", "")

    assert settings.get("core", "parallelism") is None
    assert settings.get_int("core", "parallelism", 32) == 32
    assert settings.get_bool("core", "parallelism", True)
    assert settings.get_float("core", "parallelism", 0.5) == 0.5


def test_typed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__PARALLELISM", "64")
    monkeypatch.setenv("FLOWLET__CORE__GRACE", "2.5")
    monkeypatch.setenv("FLOWLET__CORE__CATCHUP", "On")
    monkeypatch.setenv("FLOWLET__CORE__DURABILITY", "FULL")

    assert settings.get_int("core", "parallelism", 32) == 64
    assert settings.get_float("core", "grace", 30) == 2.5
    assert settings.get_bool("core", "catchup", False)
    assert settings.get_choice("core", "durability", "process", ["full", "process"]) == "full"


@pytest.mark.parametrize("text", ["many", "3.5", "0", "-1"])
def test_a_wrong_number_names_the_variable_and_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("FLOWLET__CORE__PARALLELISM", text)

    with pytest.raises(settings.SettingError, match=f"FLOWLET__CORE__PARALLELISM='{text}'.*a whole number"):
        settings.get_int("core", "parallelism", 32, at_least=1)


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "-1"])
def test_a_wrong_fraction(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FLOWLET__CORE__GRACE", text)

    with pytest.raises(settings.SettingError, match="FLOWLET__CORE__GRACE"):
        settings.get_float("core", "grace", 30, at_least=0)


def test_a_wrong_word_names_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLET__CORE__DURABILITY", "maybe")

    with pytest.raises(FlowletError, match="one of full, process"):
        settings.get_choice("core", "durability", "full", ["full", "process"])
    with pytest.raises(FlowletError, match="true or false"):
        settings.get_bool("core", "durability", True)
