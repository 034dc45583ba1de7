"""Listeners hear what happens; one that fails is dropped and harms nobody."""

from __future__ import annotations

import logging

import pytest

from flowlet.events import Event, Listeners, RunStarted

STARTED = RunStarted(at=1, dag_id="etl", run_id="r1")


@pytest.fixture
def listeners() -> Listeners:
    return Listeners()


def test_nobody_listens(listeners: Listeners) -> None:
    assert not listeners
    listeners.tell(STARTED)


def test_every_listener_is_told_in_order(listeners: Listeners) -> None:
    heard: list[tuple[str, Event]] = []
    listeners.subscribe(lambda event: heard.append(("first", event)))
    listeners.subscribe(lambda event: heard.append(("second", event)))

    listeners.tell(STARTED)

    assert heard == [("first", STARTED), ("second", STARTED)]


def test_a_listener_may_leave(listeners: Listeners) -> None:
    heard: list[Event] = []
    leave = listeners.subscribe(heard.append)

    leave()
    leave()
    listeners.tell(STARTED)

    assert heard == []
    assert not listeners


def test_a_listener_that_raises_is_logged_and_dropped(
    listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("no")

    listeners.subscribe(broken)
    listeners.subscribe(heard.append)

    with caplog.at_level(logging.ERROR):
        listeners.tell(STARTED)
        listeners.tell(STARTED)

    assert heard == [STARTED, STARTED]
    assert [record.getMessage().startswith("the listener") for record in caplog.records] == [True]
