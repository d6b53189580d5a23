"""Runs ``wganbench`` on the stand-in, with a spec in which faults are planted. For use in its processes only."""

from __future__ import annotations

from multiprocessing import util
from pathlib import Path

from click.testing import CliRunner

from tests.runner import forked
from wganbench.cli import cli
from wganbench.records.store import Store
from wganbench.runner import loop
from wganbench.runner.executors import local

SPEC = """
version = 1
title = "planted"
source = "a test"
steps = 4
batch_size = 8
latent_dim = 3
measured_samples = 60
data = "gaussian_ring"
objective = "wasserstein"
constraint = "planted:fault"
generator = { name = "mlp", hidden = [4] }
critic = { name = "mlp", hidden = [4] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
wasserstein_estimate = { points = 3 }
[profiles.smoke]
says = "4 steps"
[variants.only]
"""
PLANTED = """
import ctypes, os, signal
from pathlib import Path

import torch

HERE = Path(__file__).parent

def once():
    try:
        (HERE / "planted").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def fault(critic, real):
    fault.calls += 1
    {change}
    return critic(real).square().mean(1)

fault.calls = 0
"""


def run(folder: str, change: str, *options: str) -> dict[str, object]:
    """Calls ``wganbench run`` for 4 seeds in a folder, each a cohort of its own unless ``options`` say otherwise.

    Args:
        folder: Where the spec and the records are put; records that are there count.
        change: A line of Python at the beginning of each penalty; `once` is true for the first of all processes, and
            ``fault.calls`` counts the penalties of a process.

    Returns:
        The exit code, what was written, and each seed's status, note, retries, device and whether it
        was captured.
    """
    here = Path(folder)
    here.mkdir(exist_ok=True)
    (here / "planted.toml").write_text(SPEC)
    (here / "planted.py").write_text(PLANTED.format(change=change))
    loop.check = lambda *arguments, **options: None  # it compares numbers, which are garbage
    util.spawnv_passfds = forked.spawn
    local._ensure_fork_server()  # before this process asks for its devices, which a fork could not ask again
    results = here / "results"
    chosen = ["--profile", "smoke", "--seeds", "4", "--results", str(results), "--device", "cuda", "--threads", "1"]
    ended = CliRunner().invoke(cli, ["run", str(here / "planted.toml"), *chosen, "--stack", "1", *options])
    runs = {
        str(record.seed): [
            record.status,
            record.note,
            record.retries,
            record.provenance.device,
            record.provenance.captured,
        ]
        for record in Store(results).load().values()
    }
    return {"code": ended.exit_code, "out": ended.stdout, "err": ended.stderr, "runs": runs}
