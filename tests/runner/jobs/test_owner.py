"""Which process is meant, and whether it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.runner.jobs.made import ELSEWHERE, dead, reused
from wganbench.runner.jobs.owner import Owner, _born, myself


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return myself().model_copy(update={"process": process.pid, "born": _born(psutil.Process(process.pid))})


def test_this_process_is_alive_and_one_that_has_ended_is_not():
    assert myself().process == os.getpid()
    assert myself().is_alive() is True
    assert dead().is_alive() is False


def test_a_killed_process_is_dead_even_before_anybody_has_waited_for_it(child):
    owner = owner_of(child)
    assert owner.is_alive() is True
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_alive() is False
    child.wait()
    assert owner.is_alive() is False


def test_a_stopped_process_is_alive(child):
    os.kill(child.pid, signal.SIGSTOP)
    assert owner_of(child).is_alive() is True


def test_a_later_process_with_the_same_id_is_another_one(child):
    assert reused().is_alive() is False
    older = owner_of(child)
    assert older.model_copy(update={"born": older.born + 60}).is_alive() is False


def test_of_a_process_on_another_machine_nothing_can_be_told_even_if_the_id_is_one_of_here():
    assert ELSEWHERE.model_copy(update={"process": os.getpid(), "born": myself().born}).is_alive() is None


def test_a_process_that_may_not_be_looked_at_may_be_alive(monkeypatch):
    def refuse(process):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    assert myself().is_alive() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads how Linux tells of the time that it was started")
def test_setting_the_clock_of_the_machine_kills_nobody(child, monkeypatch):
    owner, started = owner_of(child), psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: started + 3600)
    assert psutil.Process(child.pid).create_time() > started + 3600, "the clock was not set for psutil"
    assert owner.is_alive() is True


def test_it_comes_back_from_json_as_it_was():
    assert Owner.model_validate_json(myself().model_dump_json()) == myself()
    assert str(ELSEWHERE) == "process 7 on elsewhere"
