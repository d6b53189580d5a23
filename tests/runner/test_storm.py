"""Hundreds of kills and of faults of the file system, from a seed: the same numbers, and at most one line each."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.runner.commands import left_behind, numbers
from tests.runner.forks import CRASHED, ERRORS, OPERATIONS, Ended, Fault, Faulty, counted_in, die_after, forked
from tests.runner.test_run_all import execute
from wganbench.records.store import Store

SPEC = """
version = 1
title = "storm"
source = "a test"
seeds = 4
stack = 4
data = { name = "point", dim = 1 }
latent_dim = 1
batch_size = 1
measured_samples = 1
steps = 5
objective = "minimax"
generator = { name = "dirac_generator", start = 1.0, spread = 0.5 }
critic = { name = "dirac_critic", start = -1.0, spread = 0.5 }
generator_optimizer = { name = "sgd", lr = 0.2 }
critic_optimizer = { name = "sgd", lr = 0.2 }
[measures]
generator_position = { points = 3, spacing = "even" }
critic_slope = { points = 3, spacing = "even" }
equilibrium_distance = { points = 3, spacing = "even" }
[profiles.smoke]
says = "5 steps"
[variants.simultaneous]
updates = "simultaneous"
[variants.alternating]
updates = "alternating"
"""
OPTIONS = ("--profile", "smoke", "--device", "cpu", "--retries", "100000", "--checkpoint-every", "0.000001")
SMALLER = int(os.environ.get("STORM_DIVISOR", "1"))
"""Divides the counts, for a look while something is mended."""
KILLS, FAULTS = 500 // SMALLER, 200 // SMALLER
"""How many kills there are at least, and how many faults from each seed."""


@pytest.fixture
def storm(tmp_path) -> Path:
    path = tmp_path / "storm.toml"
    path.write_text(SPEC)
    return path


def trained(spec: Path, results: Path, **about) -> Ended:
    return forked("run", spec, "--results", results, *OPTIONS, **about)


def whole(spec: Path, tmp_path: Path) -> tuple[dict, float]:
    """The numbers of an undisturbed run, and the CPU time of another, once this process has all that it needs."""
    execute(spec, Store(tmp_path / "warm"), range(4))  # here: each fork then has all that torch makes on first use
    assert trained(spec, tmp_path / "first").code == 0
    ended = trained(spec, tmp_path / "whole")
    assert ended.code == 0, ended.err
    found = numbers(tmp_path / "whole")
    assert len(found) == 8
    assert found == numbers(tmp_path / "first")
    return found, ended.seconds


def no_crash(ended: Ended, what: object) -> None:
    assert not ended.hung, (what, "hangs", ended)
    assert ended.code != CRASHED and "Traceback" not in ended.err + ended.out, (what, ended)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_of_hundreds_of_kills_at_any_moment_no_trace_is_left(storm, tmp_path, record_property):
    rng, begun = random.Random(22), time.process_time()
    expected, seconds = whole(storm, tmp_path)
    kills: Counter[signal.Signals] = Counter()
    storms = 0
    while kills.total() < KILLS:
        results, storms = tmp_path / f"storm-{storms}", storms + 1
        before = 0
        while True:
            moment = rng.uniform(0.002, 1.3 * seconds)
            kind = rng.choices([signal.SIGKILL, signal.SIGTERM], [0.8, 0.2])[0]
            ended = trained(storm, results, before=lambda at=moment, by=kind: die_after(at, by))
            no_crash(ended, (storms, moment, kind))
            found = Store(results).load()  # raises if a record were damaged or doubled
            assert before <= len(found)
            before = len(found)
            if ended.code == 0:
                break
            assert ended.code in (-signal.SIGPROF, -signal.SIGTERM, 143), (moment, kind, ended)
            kills[kind] += 1
        assert numbers(results) == expected
        assert left_behind(results) == []
    record_property("counts", f"{storms} storms, {dict(kills)}, {time.process_time() - begun:.0f} CPU-seconds")
    print(f"{storms} storms, {dict(kills)}")  # noqa: T201  # with -s


def faults(calls: dict[str, int], rng: random.Random) -> list[Fault]:
    """As many faults as wanted, spread over the operations: each error, done or not, once or from then on."""
    found = []
    for number in range(FAULTS):
        operation = OPERATIONS[number % len(OPERATIONS)]
        at = rng.randrange(calls[operation])
        found.append(Fault(operation, at, rng.choice(ERRORS), rng.random() < 0.4, rng.random() < 0.3))
    return found


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", [23, 24])
def test_of_hundreds_of_faults_of_the_file_system_none_costs_more_than_a_line(storm, tmp_path, seed, record_property):
    rng = random.Random(seed)
    expected, _ = whole(storm, tmp_path)
    assert trained(storm, tmp_path / "counted", before=counted_in(tmp_path / "counted", tmp_path / "calls")).code == 0
    calls = {name: int(number) for name, number in map(str.split, (tmp_path / "calls").read_text().splitlines())}
    assert calls.keys() == set(OPERATIONS)
    codes: Counter[int] = Counter()
    wrong = []
    for number, fault in enumerate(faults(calls, rng)):
        results = tmp_path / f"fault-{number}"
        ended = trained(storm, results, before=lambda folder=results, one=fault: Faulty(folder, one).install())
        try:
            no_crash(ended, fault)
            assert ended.code in (0, 1, 2), ended
            assert ended.code != 2 or len([line for line in ended.lines() if line.startswith("wganbench: ")]) == 1
            before = Store(results).load()
            again = trained(storm, results)
            assert again.code == 0, again
            found = Store(results).load()
            assert {name: found[name] for name in before if before[name].status != "failed"} == {
                name: record for name, record in before.items() if record.status != "failed"
            }
            assert numbers(results) == expected
            assert left_behind(results) == []
        except AssertionError as error:
            wrong.append((fault, str(error)[:2000]))
        codes[ended.code] += 1
    record_property("counts", f"{FAULTS} faults, exit codes {dict(codes)}, {calls} calls")
    print(f"{FAULTS} faults, exit codes {dict(codes)}, {calls}")  # noqa: T201  # with -s
    assert wrong == []
