"""A run that is killed at any moment, and started again, leaves each record once and as an undisturbed run has it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.runner.commands import Command, left_behind, numbers
from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.runner.loop import Execution

MOMENTS = (1, 5)
"""Records on disk when the process is killed."""


def kill_at(command: Command, results: Path, moment: int) -> None:
    while len(Store(results).paths()) < moment and command.process.poll() is None:
        time.sleep(0.002)
    command.process.kill()
    command.end()


@pytest.mark.slow
def test_killed_twice_and_started_again_every_run_is_recorded_once(tiny, tmp_path):
    spec = tiny()
    spec.write_text(spec.read_text().replace("steps = 4\n", "steps = 60\n"))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    chosen = ("--seeds", "4", "--stack", "2", "--device", "cpu", "--checkpoint-every", "0.01")
    seen: list[int] = []
    for moment in MOMENTS:
        kill_at(Command(spec, killed, *chosen, fresh=True), killed, moment)
        seen.append(len(Store(killed).load()))  # raises if a record were damaged or doubled
    assert seen == sorted(seen)
    assert seen[-1] < 8, "the last kill came after the end and showed nothing"
    assert Command(spec, killed, *chosen, fresh=True).end()[0] == 0
    execute(spec, Store(whole), range(4), execution=Execution(device="cpu", stack=2, threads=1))
    assert len(numbers(killed)) == 8
    assert numbers(killed) == numbers(whole)
    assert left_behind(killed) == []
