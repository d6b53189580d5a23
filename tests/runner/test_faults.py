"""Processes that are killed, halted or doubled at any moment, and full disks: no record is lost, damaged or doubled."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count, cycle
from pathlib import Path

import psutil
import pytest

from tests.runner.commands import Command, left_behind, lines, numbers, run, sleepy_spec, until
from tests.runner.test_run_all import execute
from wganbench.records.store import Store
from wganbench.rng import generator
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.loop import Execution

LOCAL = ("--executor", "local", "--jobs", "2")

# ---- killed at any moment -----------------------------------------------------------------------------------------

DISTURBANCES = {
    "kill": 0.7,
    "kill any": 0.04,
    "kill server": 0.04,
    "kill command": 0.05,
    "end": 0.06,
    "end command": 0.03,
    "halt": 0.08,
}
"""What is done to a worker that trains, to any, to the fork server or to the command, and how often: SIGKILL, SIGTERM,
or SIGSTOP and soon SIGCONT."""


class Killer:
    """Disturbs a command time after time, and starts it again where that ended it."""

    def __init__(self, start, results, rng, fresh):
        self.start, self.leases, self.rng, self.fresh = start, WorkFolder(Store(results)).leases, rng, fresh
        self.commands = [start()]
        self.kills = 0

    def disturb(self, what: str) -> None:
        """Waits until there is something to disturb, which may end meanwhile by itself."""
        command = self.commands[-1]
        if what.endswith("command"):
            assert command.process.poll() is None, command.end()
            time.sleep(self.rng.uniform(0, 3 if self.fresh else 0.5))  # amid its imports as well
            self._send(what)
            code, _, errors = command.end()
            assert code == -signal.SIGKILL if what.startswith("kill") else code in (143, -signal.SIGTERM), errors
            self.commands.append(self.start())
            return
        until(lambda: self._training() or command.process.poll() is not None)
        assert command.process.poll() is None, command.end()
        time.sleep(self.rng.uniform(0, 0.4))
        self._send(what)

    def _targets(self, what: str) -> list[psutil.Process]:
        command = self.commands[-1]
        if what.endswith("command"):
            return [psutil.Process(command.process.pid)]
        if what == "kill server":
            return [server for worker in command.workers() if (server := worker.parent()) is not None]
        return command.workers() if what == "kill any" else self._training()

    def _training(self) -> list[psutil.Process]:
        """The workers that are not just coming, going or waiting."""
        training = {owner.process for owner in self.leases.held().values() if owner is not None}
        return [worker for worker in self.commands[-1].workers() if worker.pid in training]

    def _send(self, what: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):  # it may have ended at any of these lines
            target = self.rng.choice(self._targets(what))
            if what == "halt":
                target.suspend()
                time.sleep(self.rng.uniform(0, 1))
                target.resume()
            elif what.startswith("end"):
                target.terminate()
            else:
                target.kill()
                self.kills += 1


def disturb_until(kills, disturbances: Iterator[str], rng, tiny, tmp_path, *, seeds, stack, steps, nap, fresh):
    """Trains four variants, slowly under ``disturbances`` until so many were kills, and once without any."""
    spec, results, whole = sleepy_spec(tiny, 4, steps), tmp_path / "disturbed", tmp_path / "whole"
    awake = tmp_path / "awake"
    chosen = ("--seeds", str(seeds), "--stack", str(stack), "--retries", "99", "--checkpoint-every", "0.05")
    about = {"environment": {"NAP": nap, "AWAKE": str(awake)}, "fresh": fresh}
    killer = Killer(lambda: Command(spec, results, *chosen, *LOCAL, **about), results, rng, fresh)
    before = 0
    while killer.kills < kills:
        killer.disturb(next(disturbances))
        found = len(Store(results).load())  # raises if a record were damaged or doubled
        assert before <= found < 4 * seeds, "it was over too early for what is to disturb it"
        before = found
    awake.touch()
    code, _, errors = killer.commands[-1].end(240)
    assert code == 0, errors
    execute(spec, Store(whole), range(seeds), execution=Execution(device="cpu", stack=stack, threads=1))
    assert len(numbers(results)) == 4 * seeds
    assert numbers(results) == numbers(whole)
    assert [stray for command in killer.commands for stray in command.strays()] == []
    assert left_behind(results) == []


def test_killed_ended_and_halted_every_run_is_recorded_once_as_if_nothing_had_been(tiny, tmp_path):
    one_each = cycle(["kill", "halt", "kill", "end", "kill command", "kill"])
    disturb_until(4, one_each, random.Random(0), tiny, tmp_path, seeds=8, stack=4, steps=20, nap="0.2", fresh=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_of_over_fifty_kills_and_other_disturbances_no_trace_is_left(tiny, tmp_path, seed):
    rng = random.Random(seed)
    random_ones = (rng.choices(list(DISTURBANCES), list(DISTURBANCES.values()))[0] for _ in count())
    disturb_until(52, random_ones, rng, tiny, tmp_path, seeds=16, stack=2, steps=200, nap="0.03", fresh=True)


# ---- two at once --------------------------------------------------------------------------------------------------

INLINE = ("--executor", "inline")
SAME = ("--seeds", "8", "--stack", "2")


def made_critics(counted: Path) -> Counter[str]:
    """How often each critic of each seed was made, which is when a training of it begins; not those for its checks."""
    trained = {str(generator(seed, "critic").initial_seed()) for seed in range(10)}
    return Counter(line for line in lines(counted) if line.split()[1] in trained)


def two_at_once(tiny, tmp_path, first, second) -> tuple[dict, Counter[str]]:
    """The numbers of two commands that were started together, and how often each critic was made."""
    spec, results, counted = sleepy_spec(tiny, 2, 20), tmp_path / "results", tmp_path / "counted"
    environment = {"NAP": "0.01", "COUNTED": str(counted)}
    commands = [Command(spec, results, *options, environment=environment) for options in (first, second)]
    ended = [command.end() for command in commands]
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert all(" failed" not in out for _, out, _ in ended)
    assert [stray for command in commands for stray in command.strays()] == []
    assert left_behind(results) == []
    return numbers(results), made_critics(counted)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((*SAME, *INLINE), (*SAME, *INLINE), id="inline-inline"),
        pytest.param((*SAME, *LOCAL), (*SAME, *INLINE), id="local-inline", marks=pytest.mark.slow),
        pytest.param((*SAME, *LOCAL), (*SAME, *LOCAL), id="local-local", marks=pytest.mark.slow),
    ],
)
def test_two_commands_at_once_train_each_cohort_once_and_lose_nothing(tiny, tmp_path, monkeypatch, first, second):
    found, made = two_at_once(tiny, tmp_path, first, second)
    alone = tmp_path / "alone"
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted alone"))
    execute(tmp_path / "tiny.toml", Store(alone), range(8), execution=Execution(device="cpu", stack=2, threads=1))
    assert found == numbers(alone)
    assert made == made_critics(tmp_path / "counted alone")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(INLINE, INLINE, marks=pytest.mark.slow),
        pytest.param(LOCAL, INLINE, marks=pytest.mark.slow),
        pytest.param(LOCAL, LOCAL, marks=pytest.mark.slow),
    ],
)
def test_two_commands_of_other_seeds_and_stacks_leave_each_run_recorded_once(tiny, tmp_path, first, second):
    left, right = ("--seeds", "0-5", "--stack", "2"), ("--seeds", "3-9", "--stack", "4")
    found, made = two_at_once(tiny, tmp_path, (*left, *first), (*right, *second))
    assert Counter(int(name.rpartition("-s")[2]) for name in found) == dict.fromkeys(range(10), 2)
    assert set(made.values()) <= {1, 2}  # a cohort that lacks one record trains whole: once for either command


# ---- full disks ---------------------------------------------------------------------------------------------------

WIDE = """
[variants.wide]
critic = { name = "mlp", hidden = [200, 200] }
"""
"""Its checkpoint has over a megabyte; a record has a few thousand bytes."""


def limited(size: int):
    """No file that the process writes, or one that it starts, may be larger than ``size``."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


UNCACHED = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Python would leave cut off what it compiles."""


CHECKPOINT = ".pt: cannot be written (File too large); free the disk or use --results"
FOLDER = "tiny: cannot be written (File too large); choose another folder with --results"


def contents(results: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in results.glob("*/*.json")}


@pytest.mark.parametrize(
    ("size", "says", "executor"),
    [
        pytest.param(200_000, CHECKPOINT, INLINE, id="checkpoints-inline"),
        pytest.param(200_000, CHECKPOINT, LOCAL, id="checkpoints-local", marks=pytest.mark.slow),
        pytest.param(1000, FOLDER, INLINE, id="all-inline", marks=pytest.mark.slow),
        pytest.param(1000, FOLDER, LOCAL, id="all-local", marks=pytest.mark.slow),
    ],
)
def test_where_files_may_not_grow_one_line_says_so_and_old_records_stay_whole(tiny, tmp_path, size, says, executor):
    spec, results = tiny(WIDE), tmp_path / "results"
    execute(spec, Store(results), [0, 1], ["gp"])
    before = contents(results)
    options = ("--seeds", "2", "--variant", "wide", "--variant", "gp", "--checkpoint-every", "0.000001", *executor)
    code, _, errors = run(spec, results, *options, environment=UNCACHED, before=limited(size))
    assert code == 2
    assert errors.count("\n") == 1 and errors.startswith("wganbench: ") and errors.endswith(f"{says}\n")
    assert contents(results) == before
    assert len(execute(spec, Store(results), [0, 1], ["gp", "wide"])) == 2
    assert {path: contents(results)[path] for path in before} == before
    assert left_behind(results) == []


FILLING = """
import pathlib

def filling(critic, real, *, at, disk):
    global calls
    if real.shape[1] != 8:  # the checks before the training
        return critic(real).square().mean(1)
    calls += 1
    filler = pathlib.Path(disk) / "filler"
    if calls == at and not filler.with_name("filled").exists():
        filler.with_name("filled").touch()
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(b"x" * 512)
                    file.flush()
            except OSError:
                pass
    return real.new_zeros(len(real))

calls = 0
"""


@pytest.fixture
def small_disk(tmp_path):
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("executor", [LOCAL, pytest.param(INLINE, marks=pytest.mark.slow)], ids=["local", "inline"])
def test_a_disk_that_becomes_full_ends_in_one_line_and_the_same_command_goes_on(tiny, tmp_path, small_disk, executor):
    (tmp_path / "filling_custom.py").write_text(FILLING)
    penalty = f'{{ name = "filling_custom:filling", at = 3, disk = "{small_disk}" }}'
    spec, results = tiny(f"[variants.filling]\nconstraint = {penalty}\n"), small_disk / "results"
    execute(spec, Store(results), [0, 1], ["gp"])
    before = contents(results)
    options = ("--seeds", "4", "--variant", "gp", "--variant", "filling", *executor)
    code, _, errors = run(spec, results, *options)
    assert code == 2
    assert errors.count("\n") == 1 and errors.startswith("wganbench: ") and "(No space left on device)" in errors
    after = contents(results)
    assert {path: after[path] for path in before} == before
    (small_disk / "filler").unlink()
    assert len(execute(spec, Store(results), range(4), ["gp", "filling"])) == 8 - len(after)
    whole = tmp_path / "whole"
    execute(spec, Store(whole), range(4), ["gp", "filling"])
    assert numbers(results) == numbers(whole)
    assert left_behind(results) == []
