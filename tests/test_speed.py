"""What users wait for, bounded; ``pytest -m slow``. CPU seconds of the child process, so that a busy machine passes."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from wganbench.records.record import write_text
from wganbench.records.store import Store
from wganbench.spec import available, load
from wganbench.spec.plan import expand

pytestmark = pytest.mark.slow
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
RESULTS = Path(__file__).resolve().parent.parent / "results"


def cpu_seconds(*arguments: str | Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **ONE_THREAD}
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


LOADING = """
import sys, time
from wganbench.records.store import Store
start = time.process_time()
found = Store(sys.argv[1]).load()
print(time.process_time() - start, len(found), "torch" in sys.modules)
"""


@pytest.mark.timeout(1200)  # of the clock, which says little on a busy machine
def test_ten_thousand_records_are_read_in_three_seconds(tmp_path):
    """Of the committed records' sizes; the best of three, as others on the machine slow down what takes long."""
    store, models = Store(tmp_path), Store(RESULTS).load().values()
    store.prepare({model.experiment for model in models})
    copies = ((repeat, model) for repeat in itertools.count() for model in models)
    for repeat, model in itertools.islice(copies, 10_000):
        seed = model.seed + 1000 * repeat
        copy = model.model_copy(update={"id": f"{model.family}-s{seed}", "seed": seed, "artefacts": []})
        store.path(copy).write_text(write_text(copy))

    def seconds() -> float:
        command = [sys.executable, "-c", LOADING, str(tmp_path)]
        told = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
        spent, n_read, has_torch = told.stdout.split()
        assert (int(n_read), has_torch) == (10_000, "False")
        return float(spent)

    assert min(seconds() for _ in range(3)) <= 3


@pytest.mark.parametrize("name", available())
def test_smoke_of_an_experiment_takes_seconds(tmp_path, name):
    """Four or five of them go into imports."""
    assert cpu_seconds("run", name, "--profile", "smoke", "--seeds", "1", "--results", tmp_path) <= 15


def test_quick_on_the_ring_takes_five_minutes_of_two_cores(tmp_path):
    options = ("--profile", "quick", "--seeds", "5", "--jobs", "2", "--results", tmp_path)
    assert cpu_seconds("run", "gaussians8", *options) <= 2 * 5 * 60
