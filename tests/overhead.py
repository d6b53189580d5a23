"""What an executor adds to the work itself: ``python tests/overhead.py EXECUTOR [JOBS [WORKERS [SECONDS]]]``.

Jobs that sleep take as long on any machine: what is above ``JOBS · SECONDS / WORKERS`` is the executor's, the leases',
the log's and the records'. The time until the first job begins is told apart, as it does not grow with the jobs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from wganbench.records.store import Store
from wganbench.runner.loop import Execution, run_all
from wganbench.spec import load
from wganbench.spec.plan import expand

SPEC = """
version = 1
title = "jobs that sleep"
source = "tests/overhead.py"
steps = 1
batch_size = 2
latent_dim = 1
measured_samples = 50
data = "gaussian_ring"
objective = "wasserstein"
constraint = "naps:nap"
generator = { name = "mlp", hidden = [1] }
critic = { name = "mlp", hidden = [1] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
sectors_occupied = { points = 1 }
[profiles.smoke]
says = "one step"
[variants.nap]
"""
NAPS = """
import time
def nap(critic, real):
    time.sleep(SECONDS if real.shape[1] == 2 else 0)  # not in the checks before the training
    return critic(real).square().mean(1)
"""


def measure(folder: Path, executor: str, jobs: int, workers: int, seconds: float) -> tuple[float, float]:
    """Seconds until the first job begins, and from there until the last record."""
    (folder / "naps.toml").write_text(SPEC)
    (folder / "naps.py").write_text(NAPS.replace("SECONDS", str(seconds)))
    spec = load(str(folder / "naps.toml"))
    execution = Execution(device="cpu", stack=1, threads=1, executor=executor, jobs=workers)
    started: list[float] = []
    called = time.time()
    for record in run_all(
        expand(spec, "smoke", range(jobs)),
        Store(folder / "results"),
        execution,
        on_event=lambda event: started.append(event["time"]) if event["event"] == "start" else None,
    ):
        assert record.status == "finished", record.note
        ended = time.time()
    assert len(started) == jobs
    return min(started) - called, ended - min(started)


def main(executor: str, jobs: int = 200, workers: int = 2, seconds: float = 1.0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        startup, took = measure(Path(folder), executor, jobs, workers, seconds)
    ideal = jobs * seconds / (1 if executor == "inline" else workers)
    sys.stdout.write(
        f"{executor}: {jobs} jobs of {seconds:g} s at {workers} workers in {took:.1f} s, ideal {ideal:g} s "
        f"(+{took / ideal - 1:.1%}); {startup:.1f} s before the first\n"
    )


if __name__ == "__main__":
    executor, *numbers = sys.argv[1:]
    main(executor, *(kind(number) for kind, number in zip((int, int, float), numbers, strict=False)))
