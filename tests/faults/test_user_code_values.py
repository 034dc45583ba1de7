"""What bodies return, and what they say: kept, or refused by name; never a file that cannot be written."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from flowlet import DAG, BashOperator, DagError, PythonOperator, SkipTask
from flowlet.errors import XComError

pytestmark = pytest.mark.anyio


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["me"] = [value]
    return value


class Lazy(dict[str, int]):
    """A mapping that raises when it is read."""

    def items(self) -> Any:
        raise RuntimeError("lazily")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("lazily")


class Nowhere(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        raise RuntimeError("nowhere")


class Hidden:
    """An object that does not even say of what class it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("who knows")

    @__class__.setter
    def __class__(self, _: Any) -> None: ...


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "gigabyte": (lambda: ["x" * 2**20] * 1024, "the limit is 16,777,216: keep it in a file and hand on its path"),
    "bytes": (lambda: bytes(2**25), "the value is at least 33,554,432 bytes as JSON, the limit is 16,777,216"),
    "cyclic": (cyclic, "an XCom cannot hold a value that contains itself"),
    "nan": (lambda: {"a": [1, float("nan")]}, "an XCom cannot hold the float nan, which JSON cannot hold (at value['a'][1])"),
    "inf": (lambda: float("-inf"), "an XCom cannot hold the float -inf"),
    "surrogate": (lambda: {"k": ["\ud800"]}, "an XCom cannot hold a str with a lone surrogate at character 0 (at value['k'][0])"),
    "object": (lambda: {"a": [object()]}, "an XCom cannot hold an object of type object (at value['a'][0])"),
    "lazy": (lambda: Lazy(a=1), "Lazy: reading it raised RuntimeError"),
    "nowhere": (lambda: datetime(2026, 1, 1, tzinfo=Nowhere()), "datetime.datetime: reading it raised RuntimeError"),
    "generator": (lambda: (n for n in ()), "an XCom cannot hold an object of type generator"),
    "deep": (lambda: nested(100_000), "an XCom cannot hold a value nested deeper than 256 levels"),
    "digits": (lambda: 10**5000, "an XCom cannot hold an int that cannot be written"),
    "hidden": (Hidden, "who knows"),
}
KEPT: dict[str, Any] = {"huge": 2**70, "nul": "a\0b", "raw": b"\0\xff", "keys": {1: 2}, "tuple": (1, (2,)), "negative": -(2**64)}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
async def test_values_are_kept_or_refused_by_name_place_and_limit(engine_of: Any, book: Any, asynchronous: bool) -> None:
    def body_of(make: Callable[[], Any]) -> Callable[[], Any]:
        async def coroutine() -> Any:
            return make()

        return coroutine if asynchronous else make

    with DAG("values") as dag:
        for name, (make, _) in REFUSED.items():
            PythonOperator(task_id=name, python_callable=body_of(make))
        for name, value in KEPT.items():
            PythonOperator(task_id=name, python_callable=body_of(lambda value=value: value))
    tracemalloc.start()
    try:
        async with engine_of(dag) as engine:
            run = await (await engine.trigger("values")).wait()
            assert {name: await run.xcom(name) for name in KEPT} == KEPT
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    reasons = {task_id: reason for task_id, _, outcome, reason in book.attempts() if outcome == "failed"}
    assert reasons.keys() == REFUSED.keys()
    for name, (_, expected) in REFUSED.items():
        assert expected in reasons[name]
        if name != "hidden":
            assert reasons[name].startswith(f"XComError: XCom 'return_value' of task '{name}': ")
    assert book.rows("SELECT count(*) FROM xcoms") == [(len(KEPT),)]
    assert peak < 100_000_000
    assert book.events() == []


# -- text that no file can hold -----------------------------------------------------------------------


async def test_an_error_with_half_a_character_fails_once_and_is_told_with_backslashes(engine_of: Any, book: Any) -> None:
    """The name of a file that is no UTF-8 comes as such a str (PEP 383)."""
    ran: list[str] = []

    def fails() -> None:
        ran.append("fails")
        raise FileNotFoundError("no file 'caf\udce9\0'")

    def skips() -> None:
        raise SkipTask("\ud800")

    def leaves() -> None:
        sys.exit("\ud800")

    def pushes(ti: Any) -> None:
        ti.xcom_push("\ud800", 1)

    def called(_: Any) -> None:
        raise ValueError("\ud800")

    class Named(Exception):
        pass

    Named.__qualname__ = Named.__name__ = "Named"
    Named.__module__ = "\ud800"

    def names() -> None:
        raise Named("x")

    with DAG("half") as dag:
        PythonOperator(task_id="fails", python_callable=fails, on_failure_callback=called)
        for body in (skips, leaves, pushes, names):
            PythonOperator(task_id=body.__name__, python_callable=body)
        BashOperator(task_id="bash", bash_command=r"printf '\xff\x00\xed\xa0\x80'; exit 3")
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("half")).wait()
        with pytest.raises(XComError, match="conf is not JSON"):
            await engine.trigger("half", conf={"a": "\ud800"})
    assert ran == ["fails"]
    assert run.state == "failed"
    json.dumps(run.as_dict(), ensure_ascii=False).encode()  # whoever shows it can write it
    assert {task_id: (number, outcome, reason) for task_id, number, outcome, reason in book.attempts()} == {
        "bash": (1, "failed", "FlowletError: the command ended with exit code 3"),
        "fails": (1, "failed", r"FileNotFoundError: no file 'caf\udce9\x00'"),
        "leaves": (1, "failed", r"the task called sys.exit('\ud800')"),
        "names": (1, "failed", "Named: x"),
        "pushes": (1, "failed", r"XComError: the key of an XCom must be a non-empty str of whole characters, not '\ud800'"),
        "skips": (1, "skipped", r"\ud800"),
    }  # fmt: skip
    ((kind, task_id, text),) = book.events()
    assert (kind, task_id) == ("callback_failed", "fails")
    assert text.endswith(r"raised ValueError: \ud800")


async def test_an_attempt_whose_end_cannot_be_written_is_given_up_after_three_times(
    engine_of: Any, book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that SQLite does not take, it does not start a body again for ever."""
    from flowlet.scheduler import brain

    ran: list[int] = []
    fail = brain.plan.fail

    def unwritable(ti: Any, *args: Any, **kwargs: Any) -> bool:
        ti.wake_at = 2**63
        return fail(ti, *args, **kwargs)

    def body(ti: Any) -> None:
        ran.append(ti.try_number)
        raise ValueError

    monkeypatch.setattr(brain.plan, "fail", unwritable)
    with DAG("poison") as dag:
        PythonOperator(task_id="body", python_callable=body)
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("poison")).wait()
    assert ran == [1, 2, 3]
    assert run.state == "failed"
    assert book.attempts()[-1] == ("body", 3, "interrupted", "what it left could not be written 3 times")


@pytest.mark.parametrize("arguments", [{}, {"retry_exponential_backoff": True, "max_retry_delay": timedelta.max}])
async def test_delays_beyond_all_calendars_are_delays_that_can_be_written(engine_of: Any, book: Any, arguments: Any) -> None:
    def body() -> None:
        raise ValueError

    with DAG("patient") as dag:
        PythonOperator(
            task_id="body", python_callable=body, retries=1, retry_delay=timedelta.max,
            execution_timeout=timedelta.max, **arguments,
        )  # fmt: skip
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("patient")).wait()
    assert run.state == "failed"
    assert [row[:3] for row in book.attempts()] == [("body", 1, "failed"), ("body", 2, "failed")]


def test_more_retries_than_can_be_counted_are_refused() -> None:
    with DAG("d"), pytest.raises(DagError, match="retries must be at most 2,147,483,647"):
        PythonOperator(task_id="body", python_callable=lambda: 1, retries=2**63)


# -- results of nothing -------------------------------------------------------------------------------


async def test_a_mapping_that_raises_lazily_in_multiple_outputs(engine_of: Any, book: Any) -> None:
    class LazyMapping(Mapping[str, int]):
        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[str]:
            yield "a"
            raise RuntimeError("lazily")

        def __getitem__(self, _: str) -> int:
            raise RuntimeError("lazily")

    from flowlet import task

    with DAG("lazy") as dag:

        @task(multiple_outputs=True)
        def body() -> Any:
            return LazyMapping()

        body()
    async with engine_of(dag) as engine:
        run = await (await engine.trigger("lazy")).wait()
    assert run.state == "failed"
    assert book.attempts() == [("body", 1, "failed", "RuntimeError: lazily")]
    assert book.rows("SELECT * FROM xcoms") == []
