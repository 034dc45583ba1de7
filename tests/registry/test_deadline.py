"""The alarm that bounds the loading of a file leaves the alarm of the program as it was."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from flowlet.registry.deadline import LoadTimeout, deadline


@pytest.fixture(autouse=True)
def _alarm_of_the_test_runner() -> Iterator[None]:
    """pytest-timeout has an alarm of its own."""
    handler, (left, interval) = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left, interval)


def test_an_alarm_that_was_set_goes_on() -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000, 500)
    with deadline(30):
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= 30
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 900 < left <= 1000 and interval == 500


def test_where_none_was_set_none_is_left() -> None:
    with deadline(30):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_body_is_interrupted_when_it_takes_too_long() -> None:
    with pytest.raises(LoadTimeout, match=r"0\.01"), deadline(0.01):
        signal.pause()
