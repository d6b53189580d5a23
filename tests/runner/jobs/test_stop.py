"""How a stop is asked for, what for, and what a second Ctrl-C does."""

from __future__ import annotations

import os
import signal

import pytest

from wganbench.runner.jobs import stop as module
from wganbench.runner.jobs.stop import EXIT_CODES, Stop


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the stop sees, as a list of one."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def handlers():
    """Those of before; a test that leaves others behind fails."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield before
    after = {number: signal.getsignal(number) for number in before}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


def test_the_first_reason_stays():
    stop = Stop()
    assert stop.reason is None
    stop.ask("overtaken")
    stop.ask("terminated")
    assert stop.reason == "overtaken"


def test_the_time_limit_is_a_reason_once_it_is_reached_and_stays_one(clock):
    stop = Stop(5.0)
    clock[0] = 104.99
    assert stop.reason is None
    clock[0] = 105.0
    assert stop.reason == "out of time"
    clock[0] = 0.0
    assert stop.reason == "out of time"


def test_what_came_before_the_time_limit_is_the_reason(clock):
    stop = Stop(5.0)
    stop.ask("interrupted")
    clock[0] = 1000.0
    assert stop.reason == "interrupted"


def test_a_stop_holds_for_those_of_it_and_not_the_other_way_round():
    outer = Stop()
    inner, other = Stop(of=outer), Stop(of=outer)
    inner.ask("overtaken")
    assert (inner.reason, other.reason, outer.reason) == ("overtaken", None, None)
    outer.ask("terminated")
    assert (inner.reason, other.reason, outer.reason) == ("overtaken", "terminated", "terminated")


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_asks_and_the_old_handlers_come_back(handlers, number, reason):
    with Stop().on_signals() as stop:
        assert stop.reason is None
        os.kill(os.getpid(), number)
        assert stop.reason == reason
        assert signal.getsignal(number) != handlers[number]


def test_the_old_handlers_come_back_after_an_exception():
    with pytest.raises(ZeroDivisionError), Stop().on_signals():
        raise ZeroDivisionError


def test_a_second_sigterm_waits():
    with Stop().on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason == "terminated"


@pytest.mark.parametrize("before", [None, "terminated", "out of time", "left alone"])
def test_a_second_ctrl_c_does_not_wait_whatever_was_asked_before(before):
    with Stop().on_signals() as stop:
        if before is not None:
            stop.ask(before)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == (before or "interrupted")
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_exit_codes_are_those_of_a_shell_and_of_timeout():
    of_shells = {"interrupted": 128 + signal.SIGINT, "terminated": 128 + signal.SIGTERM, "out of time": 124}
    assert EXIT_CODES == {**of_shells, "the GPU failed": 1}
