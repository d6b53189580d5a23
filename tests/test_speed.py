"""What users wait for, bounded; ``pytest -m slow``. CPU seconds of the child process, so that a busy machine passes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from wganbench.plan import expand
from wganbench.record import Store, write_text
from wganbench.spec import available, load

pytestmark = pytest.mark.slow
RESULTS = Path(__file__).resolve().parent.parent / "results"


def cpu_seconds(*arguments: str | Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "wganbench", *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_two_thousand_records_are_reported_in_five_seconds(tmp_path):
    spec = load("gaussians8")
    model = next(r for r in Store(RESULTS).load().values() if (r.variant, r.profile) == ("gan", "paper"))
    store = Store(tmp_path)
    store.prepare(["gaussians8"])
    for run in expand(spec, "paper", range(223)):
        copy = {"id": run.id, "variant": run.variant, "seed": run.seed, "setting": run.setting, "artefacts": []}
        record = model.model_copy(update=copy)
        store.path(record).write_text(write_text(record))
    assert len(store.paths()) >= 2000
    assert cpu_seconds("report", "gaussians8", "--results", tmp_path) <= 5


def test_smoke_of_every_experiment_takes_a_minute(tmp_path):
    spent = sum(
        cpu_seconds("run", name, "--profile", "smoke", "--seeds", "1", "--results", tmp_path) for name in available()
    )
    assert spent <= 60


def test_quick_on_the_ring_takes_five_minutes_of_two_cores(tmp_path):
    options = ("--profile", "quick", "--seeds", "5", "--jobs", "2", "--results", tmp_path)
    assert cpu_seconds("run", "gaussians8", *options) <= 2 * 5 * 60
