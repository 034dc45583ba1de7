"""A secret is masked in every spelling, before anything is cut, wherever a body's text is shown."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet import DAG
from flowlet.clock import VirtualClock
from flowlet.worker import secrets
from flowlet.worker.log_paths import LogKey
from flowlet.worker.logs import LONGEST_LINE, Logs
from flowlet.worker.secrets import Secrets, is_sensitive, mask_secret
from flowlet.worker.workload import Outcome

Run = Callable[..., Outcome]
Of = Callable[..., DAG]
SECRET = 'h"un\\ter/2 ü&='
KEY = LogKey("dag", "run", "body", -1, 1)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """A registry of this test's own, for all that asks for one."""
    registry = Secrets()
    for module in ("secrets", "logs", "reasons", "variables", "connections"):
        monkeypatch.setattr(f"flowlet.worker.{module}.SECRETS", registry)
    assert secrets.SECRETS is registry
    return registry


@pytest.fixture
def log(logs: Logs, clock: VirtualClock) -> Iterator[Any]:
    log = logs.open(KEY, clock)
    yield log
    log.close()


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_spellings(known: Secrets, spelling: str) -> None:
    known.add(SECRET)
    masked = known.mask(f"before {spelling} after")
    assert spelling not in masked
    assert masked.startswith("before ***")
    assert masked.endswith(" after")


@pytest.mark.parametrize("login", ["u", "us", "use", "user", "a-long-user"])
def test_a_secret_inside_of_base64(known: Secrets, login: str) -> None:
    """As in `Authorization: Basic ...`."""
    password = "correct horse battery"
    known.add(password)
    header = base64.b64encode(f"{login}:{password}".encode()).decode()
    masked = known.mask(header)
    assert "***" in masked
    left = masked.replace("***", "")
    assert password[2:-2] not in base64.b64decode(left + "=" * (-len(left) % 4)).decode("latin-1")


def test_a_secret_of_several_lines_is_masked_line_by_line(known: Secrets, log: Any, logs: Logs) -> None:
    key = "-----BEGIN-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END-----"
    known.add(key)
    for line in key.splitlines():
        log.stream("stdout", f"{line}\n")
    log.line("INFO", "x", key)
    log.line("INFO", "x", json.dumps({"key": key}))
    text = logs.text(*KEY)
    assert "MIIEvQIBADANBg" not in text
    assert "kqhkiG9w0BAQEF" not in text


@given(cut=st.integers(0, 20), before=st.integers(0, 30))
def test_a_secret_split_over_two_writes(cut: int, before: int) -> None:
    registry, logs = Secrets(), Logs(None)
    registry.add("s3cr3t-value-in-parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowlet.worker.logs.SECRETS", registry)
        log = logs.open(KEY, VirtualClock(0))
        text = "x" * before + "s3cr3t-value-in-parts"
        log.stream("stdout", text[: before + cut])
        log.stream("stdout", text[before + cut :] + "\n")
    assert logs.text(*KEY).endswith("x" * before + "***\n")


@pytest.mark.parametrize("start", range(LONGEST_LINE - 12, LONGEST_LINE + 2))
def test_a_secret_at_the_edge_where_a_line_is_cut(known: Secrets, log: Any, logs: Logs, start: int) -> None:
    known.add("0123456789")
    log.line("INFO", "x", "y" * start + "0123456789" + "z" * 100)
    assert "012" not in logs.text(*KEY).partition(" - ")[2]


def test_a_secret_at_the_edge_of_a_reason(known: Secrets, run: Run, of: Of) -> None:
    known.add("0123456789")

    def body() -> None:
        raise ValueError("y" * 482 + "0123456789")

    assert "012" not in str(run(of(body)).reason)


def test_reasons_tracebacks_and_records(known: Secrets, run: Run, of: Of, logs: Logs) -> None:
    known.add("hunter2")

    def body(ti: Any) -> None:
        ti.log.info("using %s", "hunter2")
        password = "hunter2"
        raise ValueError(f"wrong password {password}")

    outcome = run(of(body))
    assert outcome.reason == "ValueError: wrong password ***"
    assert "using ***" in logs.text(*KEY)
    assert "hunter2" not in logs.text(*KEY)


def test_what_is_too_short_to_be_told_from_chance_is_left(known: Secrets) -> None:
    known.add("abc")
    known.add("")
    known.add("\n\n")
    assert known.mask("abcdef\n\n") == "abcdef\n\n"


def test_the_longest_form_is_masked_first(known: Secrets) -> None:
    known.add("hunter2")
    known.add("hunter2-and-more")
    assert known.mask("hunter2-and-more") == "***"


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("DB_PASSWORD", True),
        ("api_key", True),
        ("my-Token", True),
        ("client_secret", True),
        ("host", False),
        (None, False),
        (3, False),
    ],
)
def test_names_that_speak_of_secrets(name: Any, sensitive: bool) -> None:
    assert is_sensitive(name) is sensitive


def test_mask_secret(known: Secrets) -> None:
    mask_secret("first-one")
    mask_secret({"a": ["second-one"]})
    mask_secret(
        {"password": "third-one", "host": "localhost", "deep": [{"token": "fourth-one"}]}, "connection"
    )
    mask_secret("fifth-one", "password")
    mask_secret("not-one", "host")
    text = "first-one second-one third-one fourth-one fifth-one not-one localhost"
    assert known.mask(text) == "*** *** *** *** *** not-one localhost"


# -- variables and connections ------------------------------------------------------------------------


def test_variables(monkeypatch: pytest.MonkeyPatch, known: Secrets, run: Run) -> None:
    from flowlet import BashOperator

    monkeypatch.setenv("FLOWLET_VAR_PLACE", "here")
    monkeypatch.setenv("AIRFLOW_VAR_PLACE", "there")
    monkeypatch.setenv("AIRFLOW_VAR_LIMITS", '{"n": [1, 2], "password": "in-json"}')
    monkeypatch.setenv("AIRFLOW_VAR_API_TOKEN", "tok-12345")
    template = "{{ var.value.place }} {{ var.json.limits.n[1] }} {{ var.value.get('nowhere', 'else') }} {{ var['value'].place }}"
    with DAG("dag") as dag:
        BashOperator(task_id="body", bash_command=f"echo {template}")
        BashOperator(task_id="missing", bash_command="echo {{ var.value.nowhere }}")
        BashOperator(task_id="wrong", bash_command="echo {{ var.json.place }}")
        BashOperator(task_id="token", bash_command="echo {{ var.value.api_token }}")
    assert run(dag).xcoms == (("return_value", '"here 2 else here"'),)
    assert run(dag, "missing").reason == (
        "VariableNotFound: variable 'nowhere' is not set: give FLOWLET_VAR_NOWHERE in the environment,"
        " `flowlet variables set nowhere`, Variable.set('nowhere', ...) or engine.set_variable('nowhere', ...) (in the template field 'bash_command')"
    )
    assert "variable 'place' does not hold JSON" in str(run(dag, "wrong").reason)
    assert run(dag, "token").kind == "succeeded"
    assert known.mask("tok-12345 in-json") == "*** ***"


def test_secrets_of_the_environment_are_masked_before_anybody_asks(
    monkeypatch: pytest.MonkeyPatch, known: Secrets
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_DB_PASSWORD", "v-secret")
    monkeypatch.setenv("FLOWLET_CONN_DB", "postgres://me:c%2Fsecret@host/db")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "{not json")
    assert known.mask("v-secret c/secret c%2Fsecret me") == "*** *** *** me"


@pytest.mark.parametrize(
    "text",
    [
        "my-sql://us%40er:p%2Fw-12@db.example:3306/shop?charset=utf8&token=tok-123",
        """{"conn_type": "my_sql", "login": "us@er", "password": "p/w-12", "host": "db.example", "port": "3306",
            "schema": "shop", "extra": {"charset": "utf8", "token": "tok-123"}}""",
    ],
)
def test_connections(monkeypatch: pytest.MonkeyPatch, known: Secrets, run: Run, of: Of, text: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", text)

    def body(conn: Any) -> Any:
        shop = conn.shop
        assert repr(shop) == "<Connection shop: my_sql>"
        assert conn.get("nowhere") is None
        return [
            shop.conn_type,
            shop.login,
            shop.password,
            shop.host,
            shop.port,
            shop.schema,
            shop.extra_dejson,
        ]

    outcome = run(of(body))
    assert outcome.xcoms[0][1] == (
        '["my_sql","us@er","p/w-12","db.example",3306,"shop",{"charset":"utf8","token":"tok-123"}]'
    )
    assert known.mask("p/w-12 tok-123 db.example") == "*** *** db.example"


def test_a_connection_that_is_not_set(run: Run, of: Of) -> None:
    assert "connection 'nowhere' is not set: give FLOWLET_CONN_NOWHERE" in str(
        run(of(lambda conn: conn.nowhere)).reason
    )
