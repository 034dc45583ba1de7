"""A backend of one's own is asked for variables and connections before the environment and the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowlet import DAG, Connection, PythonOperator, Variable
from flowlet.settings import SettingError

BACKEND = """
from flowlet.worker.backends import BaseSecretsBackend

class Safe(BaseSecretsBackend):
    def __init__(self, prefix):
        self.prefix = prefix
    def get_variable(self, key, team_name=None):
        return {"vars/day": "from the safe", "vars/pass_token": "s3cret-of-the-safe"}.get(self.build_path(self.prefix, key))
"""


@pytest.fixture(autouse=True)
def safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_safe.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FLOWLET__SECRETS__BACKEND", "acme_safe.Safe")
    monkeypatch.setenv("FLOWLET__SECRETS__BACKEND_KWARGS", '{"prefix": "vars"}')
    monkeypatch.setenv("FLOWLET_VAR_DAY", "from the environment")
    monkeypatch.setenv("FLOWLET_VAR_HOUR", "noon")
    monkeypatch.setenv("FLOWLET_CONN_DB", "postgres://host")
    monkeypatch.delitem(sys.modules, "acme_safe", raising=False)


def test_it_is_asked_first_and_what_it_does_not_have_is_looked_for_elsewhere() -> None:
    assert (Variable.get("day"), Variable.get("hour"), Connection.get("db").host) == ("from the safe", "noon", "host")


def test_its_secrets_are_masked_like_others() -> None:
    with DAG("d") as dag:

        def body() -> None:
            raise ValueError(Variable.get("pass_token"))

        PythonOperator(task_id="t", python_callable=body)
    assert dag.test().as_dict()["reasons"] == {"t": "ValueError: ***"}


@pytest.mark.parametrize(
    ("backend", "kwargs", "says"),
    [
        ("acme_safe.Nothing", "{}", "FLOWLET__SECRETS__BACKEND='acme_safe.Nothing': module 'acme_safe' has no attribute 'Nothing'"),
        ("no_such.Safe", "{}", "FLOWLET__SECRETS__BACKEND='no_such.Safe': No module named 'no_such'"),
        ("acme_safe.Safe", "{", "FLOWLET__SECRETS__BACKEND_KWARGS is not JSON: "),
    ],
)
def test_a_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, backend: str, kwargs: str, says: str) -> None:
    monkeypatch.setenv("FLOWLET__SECRETS__BACKEND", backend)
    monkeypatch.setenv("FLOWLET__SECRETS__BACKEND_KWARGS", kwargs)
    with pytest.raises(SettingError) as caught:
        Variable.get("day")
    assert str(caught.value).startswith(says)
