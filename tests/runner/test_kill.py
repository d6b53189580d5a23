"""A run that is killed at any moment, and started again, leaves each record once and as an undisturbed run has it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wganbench.record import Store

MOMENTS = (None, 1, 2, 6, 10)
"""Records on disk when the process is killed; None kills it while it still imports."""


def start(spec: Path, results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "wganbench", "run", str(spec), "--profile", "smoke", "--seeds", "6"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, "--results", str(results)], stdout=subprocess.DEVNULL, env=environment)


def kill_at(process: subprocess.Popen[bytes], results: Path, moment: int | None) -> None:
    if moment is None:
        time.sleep(0.3)
    while moment is not None and len(Store(results).paths()) < moment and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(400)
def test_killed_five_times_and_started_again_every_run_is_recorded_once(tiny, tmp_path):
    spec = tiny()
    spec.write_text(spec.read_text().replace("steps = 4\n", "steps = 150\n"))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    seen: list[int] = []
    for moment in MOMENTS:
        kill_at(start(spec, killed), killed, moment)
        seen.append(len(Store(killed).load()))  # raises if a record were damaged or doubled
    assert seen == sorted(seen)
    assert seen[-1] < 12, "the last kill came after the end and showed nothing"
    assert start(spec, killed).wait() == 0
    assert start(spec, whole).wait() == 0
    after, undisturbed = Store(killed).load(), Store(whole).load()
    assert len(after) == 12
    assert {k: (r.measures, r.curves) for k, r in after.items()} == {
        k: (r.measures, r.curves) for k, r in undisturbed.items()
    }
    assert not list(killed.rglob(".*")), "a temporary file was left behind"
