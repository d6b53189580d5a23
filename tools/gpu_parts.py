"""The parts of ``gpu_check.py`` that compute: ``python tools/gpu_parts.py PART FOLDER SECONDS``.

A part prints each result when it has it. It fails with a last line that says what is wrong, or passes. Image sets are
few images of shapes10, which are drawn here: nothing is downloaded, and the time of a step does not depend on them.
"""

from __future__ import annotations

import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import psutil
import torch
from torch import Tensor

from wganbench.data import shapes10
from wganbench.errors import first_line
from wganbench.measures.scores.inception import inception
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.runner import resolve
from wganbench.runner.build import make_step, make_trainer
from wganbench.runner.cohort import release_memory
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.precision import Precision, numerics, products
from wganbench.runner.provenance import checkout, versions
from wganbench.runner.speed.bench import seconds_of
from wganbench.spec import Component, Experiment, Setting, load
from wganbench.spec.plan import expand, step_flops
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.cuda_graph import NotCapturedError, capture

NO_GPU = 3
REHEARSED = "WGANBENCH_REHEARSAL" in os.environ
"""Whether this runs on a CUDA whose kernels compute nothing, so that no number is checked."""
STAND_IN = "CUDA stand-in"
CUDA = torch.device("cuda")
FEW_IMAGES = {"train": 2_000, "test": 200}
DEQUANTISED = "data={name='shapes10', scaling='256-dequantised'}"
MEBIBYTE = 2**20
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
METHODS = {
    "gaussians8": [*load("gaussians8").variants],
    "swissroll": ["clip-0.01", "wgan-gp"],
    "surfaces": ["ring-gp", "roll-clip"],
    "parallel-lines": ["critic-p050", "discriminator-m100"],
    "optimal-critic": ["translation2-10-independent"],
    "penalties": ["ring-linear", "circles-one-sided"],
    "language": ["wgan-gp"],
    "table3": ["wgan-gp", "wgan-gp-conditional", "sn-resnet", "flips", "lsgan", "wgan-rescale"],
}
COMPARED_STEPS = 5
MOST_APART = 0.02
"""The largest relative difference of losses after so few steps; another method or another draw differs by far more."""

MOST_GROWTH = 16
"""The most MiB by which three captures may let the memory grow; a stream that is not used again takes 64."""

STOPPING_SECONDS = 25.0
"""The time that a stopped training has to save its checkpoints."""


class PartFailedError(Exception):
    """Raised with one line if the GPU does not do what it should."""


def require(holds: object, otherwise: str) -> None:
    if not holds:
        raise PartFailedError(otherwise)


def require_value(holds: object, otherwise: str) -> None:
    """Requires what follows from computed numbers, unless nothing was computed."""
    require(holds or REHEARSED, otherwise)


def say(line: str) -> None:
    click.echo(line)


def trainer_of(setting: Setting, seeds: Sequence[int]) -> StackTrainer:
    return make_trainer(setting, seeds, CUDA)


def per_step(step: Callable[[], object], n: int) -> float:
    """Returns the milliseconds of a step, over ``n`` of them after one that is not timed."""
    step()
    return 1000 * seconds_of(step, n, CUDA) / n


def used(device: torch.device = CUDA) -> tuple[int, int]:
    """Returns the MiB of tensors and the MiB that torch holds, after freeing what nothing refers to."""
    release_memory(device)
    return torch.cuda.memory_allocated(device) // MEBIBYTE, torch.cuda.memory_reserved(device) // MEBIBYTE


def peak() -> str:
    return f"{torch.cuda.max_memory_allocated() / MEBIBYTE:,.0f} MiB at most"


# ---- what a step does -----------------------------------------------------------------------------------------------


def check_versions(folder: Path, seconds: float) -> None:
    """Prints what this is, and takes a captured step."""
    properties = torch.cuda.get_device_properties(CUDA)
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    say(f"{torch.cuda.device_count()} of {torch.cuda.get_device_name()}, {memory}")
    say(f"python {platform.python_version()}, cuda {torch.version.cuda}, cudnn {_cudnn_version()}")
    say(", ".join(f"{name} {version}" for name, version in versions().items()))
    say("commit {}, changed: {}".format(*checkout()))
    trainer = trainer_of(load("gaussians8").setting("wgan-gp", "paper"), [0])
    why: list[str] = []
    with numerics(CUDA, 1):
        step, captured = make_step(trainer, graph=True, on_message=why.append)
        step()
        losses = {name: loss.tolist() for name, loss in trainer.losses.items()}
    say(f"one step of gaussians8, wgan-gp: {losses}")
    require(captured, "".join(why))
    require_numbers(trainer.losses.values())


def _cudnn_version() -> str:
    try:
        return str(torch.backends.cudnn.version())
    except RuntimeError as error:  # raised for another version than torch was built with
        return first_line(error)


def require_numbers(losses: Iterable[Tensor]) -> None:
    """Fails if losses are not finite, or all of them are 0, as if kernels had not run."""
    values = torch.cat([loss.detach().cpu().flatten() for loss in losses])
    require_value(values.isfinite().all(), "a loss is not finite")
    require_value(values.abs().max() > 1e-9, "all losses are 0, as if nothing had been computed")


@contextmanager
def noting(problems: list[str], what: str) -> Iterator[None]:
    """Adds a failure of the block to the problems of its part, which goes on."""
    try:
        yield
    except (RuntimeError, NotCapturedError, PartFailedError) as error:
        problems.append(f"{what}: {first_line(error)}")
        say(f"{what:<44} FAILED: {first_line(error)}")


def check_methods(folder: Path, seconds: float) -> None:
    """Compares captured with eager steps, a method at a time, and times both."""
    problems: list[str] = []
    for name, variants in METHODS.items():
        for variant in variants:
            what = f"{name}, {variant}"
            with noting(problems, what), few_images(folder):
                _compare(what, load(name), variant)
    require(not problems, "; ".join(problems))


def _compare(what: str, spec: Experiment, variant: str) -> None:
    profile, seeds = ("smoke", [0]) if spec.name in ("table3", "language") else ("paper", [0, 3])
    setting = spec.setting(variant, profile)
    with numerics(CUDA, 1):
        eager, captured = trainer_of(setting, seeds), trainer_of(setting, seeds)
        step = capture(captured)
        for _ in range(COMPARED_STEPS):
            eager.step()
            step()
        losses = [loss.detach().cpu() for loss in captured.losses.values()]
        apart = max(map(_apart, losses, [loss.detach().cpu() for loss in eager.losses.values()]))
        times = f"eager {per_step(eager.step, 5):8.2f} ms  captured {per_step(step, 20):8.2f} ms"
    say(f"{what:<44} losses {apart:.1e} apart  {times}")
    require_value(apart <= MOST_APART, f"captured and eager losses after {COMPARED_STEPS} steps are {apart:.2g} apart")
    require_numbers(losses)


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).double().norm() / other.double().norm().clamp_min(1e-2))


def check_memory(folder: Path, seconds: float) -> None:
    """Prints the memory after each of five captures, and the most that some trainings take."""
    setting, held = load("surfaces").setting("ring-gp", "paper"), []
    for i in range(5):
        with numerics(CUDA, 1):
            step = capture(trainer_of(setting, [0]))
            step()
        del step
        held.append(used())
        say(f"after capture {i + 1}: {held[-1][0]:,} MiB of tensors, {held[-1][1]:,} MiB held")
    for name, variant, seeds in (("surfaces", "ring-gp", range(6)), ("gaussians8", "wgan-gp", range(64))):
        torch.cuda.reset_peak_memory_stats()
        with numerics(CUDA, 1):
            capture(trainer_of(load(name).setting(variant, "paper"), seeds))()
        say(f"{name}, {variant}, {len(seeds)} seeds: {peak()}")
        release_memory(CUDA)
    grown = held[-1][1] - held[1][1]
    require(grown <= MOST_GROWTH, f"torch holds {grown:,} MiB more after the fifth capture than after the second")


# ---- image networks -------------------------------------------------------------------------------------------------


@contextmanager
def few_images(folder: Path) -> Iterator[None]:
    """Makes shapes10 a small set in a folder of its own, not to be mistaken for the whole one."""
    before, counts = os.environ.get("WGANBENCH_DATA"), dict(shapes10.COUNTS)
    os.environ["WGANBENCH_DATA"] = str(folder / "few-images")
    shapes10.COUNTS.update(FEW_IMAGES)  # type: ignore[arg-type]
    try:
        yield
    finally:
        shapes10.COUNTS.update(counts)
        del os.environ["WGANBENCH_DATA"]
        if before is not None:
            os.environ["WGANBENCH_DATA"] = before


def check_table3(folder: Path, seconds: float) -> None:
    """Takes 20 steps in each precision, and keeps a profile of them."""
    problems: list[str] = []
    losses: dict[str, float] = {}
    for precision in PRECISIONS:
        spec = load("table3", [DEQUANTISED, f"precision='{precision}'"])
        torch.cuda.reset_peak_memory_stats()
        with noting(problems, precision), few_images(folder), numerics(CUDA, 1, precision=precision):
            losses[precision] = _profiled(spec.setting("wgan-gp", "paper"), folder / "profiles" / f"table3-{precision}")
        release_memory(CUDA)
    exact = losses.pop("fp32", math.nan)
    for name, found in losses.items():
        if not REHEARSED and not abs(found - exact) <= 0.1 * max(abs(exact), 1):
            problems.append(f"the critic loss of the first step is {found:.4g} in {name} and {exact:.4g} in fp32")
    require(not problems, "; ".join(problems))


def _profiled(setting: Setting, path: Path) -> float:
    """Times and profiles the setting's steps, and returns the critic loss of the first."""
    trainer, why = trainer_of(setting, [0]), list[str]()
    step, captured = make_step(trainer, graph=True, on_message=why.append)
    step()
    losses = [loss.detach().clone() for loss in trainer.losses.values()]
    milliseconds = per_step(step, 20)
    rate = (step_flops(setting) or 0) / milliseconds / 1e9
    eager = per_step(trainer.step, 3)
    how = "captured" if captured else f"eager, as {''.join(why)}"
    say(
        f"{setting.precision}: {milliseconds:.2f} ms a step ({how}), {rate:.1f} TFLOP/s, {peak()}; eager {eager:.2f} ms"
    )
    with torch.profiler.profile() as profile:
        for _ in range(20):
            step()
        torch.cuda.synchronize()
    rows = profile.key_averages()
    path.parent.mkdir(parents=True, exist_ok=True)
    table = rows.table(sort_by="self_device_time_total", row_limit=60, max_name_column_width=110)
    path.with_suffix(".txt").write_text(table, encoding="utf-8")
    kernels = sorted(rows, key=lambda row: row.self_device_time_total, reverse=True)
    total = sum(row.self_device_time_total for row in kernels)
    say(f"{setting.precision}: kernels take {total / 20_000:.2f} ms a step" if total else "the profiler saw no kernel")
    for row in kernels[: 6 if total else 0]:
        say(f"  {row.self_device_time_total / total:5.1%} {row.count / 20:6.0f} a step  {row.key[:90]}")
    require(captured, "".join(why))
    require_numbers(losses)
    return losses[0].item()


def check_depth20(folder: Path, seconds: float) -> None:
    """Captures the dearest of the random architectures of depth 20, which have the most kernels."""
    runs = expand(load("table2", ["data={name='shapes10'}"]), "paper", [0])
    deepest = [run for run in runs if run.setting.critic.options.get("depth") == 20]
    problems: list[str] = []
    for method in ("gan", "wgan-gp"):
        run = max((run for run in deepest if run.variant.endswith(f"-{method}")), key=lambda run: _cost(run.setting))
        with noting(problems, run.variant), few_images(folder), numerics(CUDA, 1):
            _captured_once(run.variant, run.setting)
        release_memory(CUDA)
    require(not problems, "; ".join(problems))


def _captured_once(name: str, setting: Setting) -> None:
    torch.cuda.reset_peak_memory_stats()
    trainer = trainer_of(setting, [0])
    began = time.perf_counter()
    step = capture(trainer)
    took = time.perf_counter() - began
    times = f"captured {per_step(step, 5):.1f} ms a step, eager {per_step(trainer.step, 2):.1f} ms"
    say(f"{name} ({_cost(setting) / 1e9:,.0f} GFLOP): {times}; capturing took {took:.1f} s, {peak()}")
    require_numbers(trainer.losses.values())


def _cost(setting: Setting) -> float:
    return float(step_flops(setting) or 0)


def check_scores(folder: Path, seconds: float) -> None:
    """Counts the images that the suite's classifier and, where its weights are, the Inception network read."""
    file = {"name": "classifier", "file": "shapes10-32-e38e9d3b"}
    _reads("classifier", resolve.score(Component.resolve("score", file)).to(CUDA))
    weights = os.environ.get("WGANBENCH_INCEPTION_WEIGHTS")
    if weights and Path(weights).is_file():
        _reads("inception", inception(Path(weights)).to(CUDA))
    else:
        say("inception: n/a, as WGANBENCH_INCEPTION_WEIGHTS names no file")


def _reads(name: str, network: Callable[[Tensor], Sequence[Tensor]]) -> None:
    images = torch.randint(256, (500, 3, 32, 32), dtype=torch.uint8, device=CUDA)
    with products(CUDA, "fp32"), torch.no_grad():
        milliseconds = per_step(lambda: network(images), 20)
        finite = all(found.isfinite().all().item() for found in network(images))
    say(f"{name}: {len(images) / milliseconds * 1000:,.0f} images a second")
    require_value(finite, f"{name}: an output is not finite")


# ---- commands -------------------------------------------------------------------------------------------------------


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "wganbench", *map(str, arguments)]


def wait(process: subprocess.Popen[str], expected: Sequence[int], seconds: float) -> str:
    """Returns what a process has printed once it has ended, with an exit code among those that are expected."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        raise PartFailedError(f"a command has not ended after {seconds:.0f} s") from None
    code = process.returncode
    last = (out.strip().splitlines() or ["nothing"])[-1]
    require(code in expected, f"a command ended with exit code {code}: {last}")
    return out


def begin(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(holds: Callable[[], bool], process: subprocess.Popen[str], what: str, seconds: float) -> None:
    """Waits until something holds.

    Raises:
        PartFailedError: If the process ends before, or it takes too long.
    """
    ends = time.monotonic() + seconds
    while not holds():
        if process.poll() is not None:
            raise PartFailedError(f"'wganbench run' ended with exit code {process.returncode} before {what}")
        if time.monotonic() > ends:
            process.terminate()
            raise PartFailedError(f"after {seconds:.0f} s it was not so that {what}")
        time.sleep(0.05)


def has_checkpoint(results: Path) -> bool:
    return any(results.glob(".work/jobs/*/*/*/*.pt"))


RUN = ("run", "surfaces", "--variant", "ring-gp", "--profile", "quick", "--set", "steps=3000", "--device", "cuda")


def check_ring(folder: Path, seconds: float) -> None:
    """Measures the speed of small networks by the number of stacked seeds."""
    chosen = ("speed", "gaussians8", "--profile", "paper", "--variant", "wgan-gp", "--device", "cuda")
    for seeds in (1, 8, 64):
        out = wait(
            begin(*chosen, "--seeds", str(seeds), "--seconds", "5", "--results", folder / "results"), [0], seconds
        )
        say(f"{seeds} seeds\n{out.strip()}")


def check_resume(folder: Path, seconds: float) -> None:
    """Stops a training, resumes it, and compares its records with those of one that was not stopped."""
    own = folder / f"resume-{os.getpid()}"
    options = ("--seeds", "2", "--stack", "2", "--deterministic", "--checkpoint-every", "0.2")
    whole, cut = (begin(*RUN, *options, "--results", own / name) for name in ("whole", "cut"))
    until(partial(has_checkpoint, own / "cut"), cut, "there was a checkpoint", seconds)
    cut.send_signal(signal.SIGTERM)
    wait(cut, [143], seconds)
    say("stopped with a checkpoint")
    out = wait(begin(*RUN, *options, "--results", own / "cut"), [0], seconds)
    say((out.strip().splitlines() or [""])[-1])
    wait(whole, [0], seconds)
    one, other = (Store(own / name).load() for name in ("whole", "cut"))
    require(len(one) == 2 and one.keys() == other.keys(), f"{len(one)} and {len(other)} records instead of 2 each")
    for name, record in one.items():
        say(f"{name}: {record.status}, {record.steps_done} steps")
        require(record.status == "finished", f"{name}: {first_line(Exception(record.note))}")
        require_value(_numbers(record) == _numbers(other[name]), f"{name}: resumed, it has other numbers")
    say("resumed" if REHEARSED else "bit for bit the numbers of a training that was not stopped")


def _numbers(record: Record) -> object:
    """Returns the numbers of a record, without its times."""
    timed = {label for label, use in record.setting.measures.items() if use.measure.name == "training_seconds"}
    curves = {label: curve for label, curve in record.curves.items() if label not in timed}
    return record.status, record.steps_done, curves


def check_workers(folder: Path, seconds: float) -> None:
    """Kills one of two processes on one GPU, and expects all records nevertheless."""
    results = folder / f"workers-{os.getpid()}"
    options = ("--seeds", "4", "--stack", "1", "--checkpoint-every", "0.2")
    places = ("--executor", "local", "--jobs", "2", "--per-gpu", "2")
    process = begin(*RUN, *options, *places, "--results", results)

    def training() -> set[int]:
        owners = WorkFolder(Store(results)).leases.held().values()
        return {owner.process for owner in owners if owner is not None}

    until(lambda: len(training()) == 2 and has_checkpoint(results), process, "two processes trained", seconds)
    killed = min(training())
    os.kill(killed, signal.SIGKILL)
    say(f"killed {killed}, one of two workers")
    wait(process, [0], seconds)
    records = [*Store(results).load().values()]
    say(f"{len(records)} records, {sum(record.retries for record in records)} retries")
    require([record.status for record in records] == ["finished"] * 4, "a run is missing or not finished")
    require(any(record.retries for record in records), "no run was tried again")


def check_surfaces(folder: Path, seconds: float) -> None:
    """Trains 'surfaces' under the profile paper until the time is over; the same folder resumes it.

    In a rehearsal the profile is smoke: its records count nowhere.
    """
    profile = "smoke" if REHEARSED else "paper"
    chosen = ("run", "surfaces", "--profile", profile, "--stack", "6", "--device", "cuda")
    places = ("--executor", "local", "--jobs", "6", "--per-gpu", "6", "--checkpoint-every", "20")
    process = subprocess.Popen(command(*chosen, *places, "--results", folder / "results"))
    so_far = time.time() - psutil.Process().create_time()  # of which importing torch is some
    try:
        code = process.wait(max(seconds - so_far - STOPPING_SECONDS, 1))
    except subprocess.TimeoutExpired:
        process.terminate()
        code = process.wait()
    records = [each for each in Store(folder / "results").load().values() if each.experiment == "surfaces"]
    say(f"{len(records)} of 36 runs are recorded; the same folder resumes the others")
    require(code in (0, 143), f"'wganbench run' ended with exit code {code}")
    require(all(record.status == "finished" for record in records), "a run failed or diverged")


PARTS = {name.removeprefix("check_"): part for name, part in globals().items() if name.startswith("check_")}


def main(name: str, folder: str, seconds: str) -> int:
    """Runs a part; returns its exit code."""
    if not torch.cuda.is_available():
        say("failed: torch finds no CUDA device")
        return NO_GPU
    if REHEARSED != torch.cuda.get_device_name().startswith(STAND_IN):
        say(f"failed: a rehearsal, and nothing else, runs on the stand-in, and this is {torch.cuda.get_device_name()}")
        return 1
    try:
        PARTS[name](Path(folder), float(seconds))
    except PartFailedError as error:
        say(f"failed: {error}")
        return 1
    except Exception as error:
        say(f"failed: {first_line(error, with_type=True)}")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
