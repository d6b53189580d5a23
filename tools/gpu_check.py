"""Asks a GPU everything that only a GPU can answer, in a limited time.

A rehearsal asks the same of the tests' stand-in for CUDA, on a machine without a GPU: torch's host code and the suite's
run for real, kernels compute nothing, and so no number is checked.

The parts are in order of worth. Each runs in its own process, with its own time limit, so that one that fails, hangs or
breaks the GPU's context costs no other. What they compute is in ``gpu_parts.py``; this file needs no torch.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

import click

ROOT = Path(__file__).resolve().parent.parent
NO_GPU = 3
"""The exit code of a part that finds no CUDA device; none of the others is started then."""
FAILED = "failed: "
"""How the last line of a part begins that has failed."""
LEAST_SECONDS = 10.0
"""No part is started with less time left."""
GRACE_SECONDS = 8.0
"""The time that a part has to end once it is asked to, before it is killed."""
GPU_TESTS = (
    "tests/test_gpu.py",
    "tests/test_gpu_images.py",
    "tests/training/test_state.py",
    "tests/data/test_images.py",
)
MIN_CORES_IN_PARALLEL = 8
REHEARSAL = "WGANBENCH_REHEARSAL"
"""The variable that tells the parts and the tests that no number is right."""
UNCHECKED = "rehearsal: values not checked"
STAND_IN = ROOT / "tests/fake_cuda"
MADE_OF_VALUES = ("results", "profiles", "few-images")
"""What a rehearsal leaves nothing of, in its folder."""
MAX_BYTES = 26_000_000_000
"""The address space of a process in a rehearsal, where a size may be read out of garbage."""
ABOVE_ZERO = click.FloatRange(min=0, min_open=True)


def in_own_process(name: str, folder: Path, seconds: float) -> list[str]:
    """Returns the command of a part in ``gpu_parts.py``."""
    return [sys.executable, str(ROOT / "tools/gpu_parts.py"), name, str(folder), f"{seconds:.0f}"]


def pytest_command(name: str, folder: Path, seconds: float) -> list[str]:
    """Returns the command of the tests marked ``gpu``, in four processes where there are cores for them."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "--tb=short", "-p", "no:cacheprovider", *GPU_TESTS]
    is_wide = (os.cpu_count() or 1) >= MIN_CORES_IN_PARALLEL and importlib.util.find_spec("xdist") is not None
    return [*command, "-n", "4"] if is_wide else command


@dataclass(frozen=True)
class Part:
    """One part of the check.

    Attributes:
        says: What it asks, for ``--list``.
        seconds: Its time limit; None for all the time that is left.
        command: Returns its command, given its name, the folder and its time limit.
        shown: Which of its lines are printed; all of them are in its log.
    """

    name: str
    says: str
    seconds: float | None
    command: Callable[[str, Path, float], Sequence[str]] = in_own_process
    shown: str = ""


PARTS = (
    Part("versions", "versions, the GPU, and one captured step", 60),
    Part("tests", "the tests marked gpu", 210, pytest_command, r"^(FAILED|ERROR) |^=.*( in |rror)| (FAILED|ERROR) "),
    Part("methods", "captured steps against eager ones, and their speed, for each method", 90),
    Part("memory", "memory over five captures, and the most that training takes", 45),
    Part("table3", "the ResNet of table 3 in float32, TF32 and bfloat16: 20 steps each, with a profile", 90),
    Part("ring", "gaussians8 with 1, 8 and 64 seeds: steps a second, kept as speed records", 75),
    Part("depth20", "an architecture of table 2 with depth 20, captured and eager", 50),
    Part("resume", "a training that is stopped and resumed against one that was not, bit for bit", 75),
    Part("workers", "two processes on the GPU, one of which is killed", 60),
    Part("scores", "images that the score networks read in a second", 40),
    Part("surfaces", "'surfaces' under the profile paper, with checkpoints, as long as there is time", None),
)

Status = Literal["passed", "rehearsed", "failed", "not run"]


@dataclass(frozen=True)
class Outcome:
    part: str
    status: Status
    seconds: float
    why: str = ""

    def __str__(self) -> str:
        return f"{self.part:<9} {self.status:<9} {self.seconds:6.1f} s  {self.why}".rstrip()


def check(parts: Sequence[Part], folder: Path, seconds: float, stretch: float) -> Iterator[Outcome]:
    """Runs the parts one after the other, each within ``stretch`` times its limit, and all within ``seconds``."""
    ends, has_gpu = time.monotonic() + seconds, True
    for part in parts:
        left = ends - time.monotonic() - GRACE_SECONDS
        if not has_gpu or left < LEAST_SECONDS:
            yield Outcome(part.name, "not run", 0.0, "no time left" if has_gpu else "there is no CUDA device")
            continue
        limit = left if part.seconds is None else min(stretch * part.seconds, left)
        click.echo(f"── {part.name}: {part.says} (at most {limit:.0f} s)")
        began = time.monotonic()
        code = run(part, folder, limit)
        took = time.monotonic() - began
        has_gpu = code != NO_GPU
        if code == 0:
            is_rehearsal = REHEARSAL in os.environ
            yield (
                Outcome(part.name, "rehearsed", took, UNCHECKED) if is_rehearsal else Outcome(part.name, "passed", took)
            )
            continue
        yield Outcome(
            part.name, "failed", took, f"stopped after {limit:.0f} s" if code is None else reason(folder, part)
        )


def reason(folder: Path, part: Part) -> str:
    """Returns why a part failed: its last line if it says so, or pytest's, or else where its errors are."""
    log, errors = logs_of(folder, part)
    *_, last = ["", *log.read_text(encoding="utf-8").splitlines()]
    return last.removeprefix(FAILED).strip("= ") if last.startswith((FAILED, "==")) else f"see {errors}"


def logs_of(folder: Path, part: Part) -> tuple[Path, Path]:
    """Returns the files of a part's lines and of its errors."""
    log = folder / "logs" / f"{part.name}.log"
    return log, log.with_suffix(".err")


def run(part: Part, folder: Path, seconds: float) -> int | None:
    """Runs a part, printing its lines as they come; returns its exit code, or None if its time was over."""
    command = part.command(part.name, folder, seconds)
    log_file, errors_file = logs_of(folder, part)
    with (
        log_file.open("w", encoding="utf-8") as log,
        errors_file.open("w", encoding="utf-8") as errors,
        _started(command, errors) as process,
    ):
        assert process.stdout is not None
        reader = threading.Thread(target=_pass_on, args=(process.stdout, log, re.compile(part.shown)), daemon=True)
        reader.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        code = process.poll()
        _end(process)
        reader.join(GRACE_SECONDS)
        process.stdout.close()
        return code


@contextmanager
def _started(command: Sequence[str], errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Starts a process in a group of its own, with the repository importable, and ends it behind the block."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # The switch is the package's own, which sets it too late where torch is imported first.
    switches = {"TORCH_DISABLE_NATIVE_JIT": "1", "PYTHONUNBUFFERED": "1"}
    environment = {**switches, **os.environ, "PYTHONPATH": paths}
    pipes = {"stdout": subprocess.PIPE, "stderr": errors, "stdin": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a process if it runs, with a checkpoint if it trains, and then whatever it has started and left behind."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pass_on(lines: IO[str], log: IO[str], shown: re.Pattern[str]) -> None:
    mark = f"  ({UNCHECKED})" if REHEARSAL in os.environ else ""
    for line in lines:
        has_words = re.search(r"\w", line) is not None
        marked = f"{line.rstrip()}{mark if has_words else ''}\n"
        log.write(marked)
        log.flush()
        if shown.search(line):
            click.echo(f"   {marked}", nl=False)


def stand_in(folder: Path) -> dict[str, str]:
    """Builds the tests' stand-in for CUDA in ``folder``; returns the variables of processes that use it.

    Raises:
        click.ClickException: If it cannot be built here.
    """
    build = runpy.run_path(str(STAND_IN / "build.py"))
    reason = build["missing"]()
    if reason is not None:
        raise click.ClickException(f"--rehearse: {reason}")
    folder.mkdir(exist_ok=True)
    library = build["build"](folder)
    first = str(STAND_IN / "rehearsal")
    return {
        REHEARSAL: "1",
        "LD_PRELOAD": str(library),
        "LD_LIBRARY_PATH": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (first, os.environ.get("PYTHONPATH")))),
    }


def _chosen(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    unknown = [name for name in names if name not in {part.name for part in parts}]
    if unknown:
        known = ", ".join(part.name for part in parts)
        raise click.UsageError(f"--only: no part {unknown[0]!r}; known: {known}")
    return [part for part in parts if not names or part.name in names]


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--only", multiple=True, metavar="PART", help="Only this part; repeatable.")
@click.option("--minutes", default=12.0, show_default=True, type=ABOVE_ZERO, help="Time limit of all parts together.")
@click.option("--stretch", default=1.0, show_default=True, type=ABOVE_ZERO, help="Factor on the parts' own limits.")
@click.option("--rehearse", is_flag=True, help="Execute all parts on a stand-in for CUDA, and check no number.")
@click.option("--list", "lists", is_flag=True, help="List the parts and exit.")
def main(
    folder: Path | None, only: tuple[str, ...], minutes: float, stretch: float, rehearse: bool, lists: bool
) -> None:
    """Ask a GPU everything that only a GPU can answer, and keep records and logs in FOLDER [default: runs/gpu-check].

    Each result is printed at once. Exits with 0 if all parts passed, and with 1 if one failed or was not run. Then
    'wganbench merge FOLDER/results' takes in the records.

    A rehearsal needs no GPU but gcc, and keeps only logs, in runs/gpu-rehearsal. On a slow or busy machine, --minutes
    and --stretch give it more time.
    """
    parts = _chosen(PARTS, only)
    if lists:
        for part in parts:
            limit = "the rest" if part.seconds is None else f"{part.seconds:.0f} s"
            click.echo(f"{part.name:<9} {limit:>8}  {part.says}")
        return
    folder = (folder or Path("runs", "gpu-rehearsal" if rehearse else "gpu-check")).resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    if rehearse:
        os.environ.update(stand_in(folder / "stand-in"))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    outcomes = []
    for outcome in check(parts, folder, 60 * minutes, stretch):
        click.echo(str(outcome))
        outcomes.append(outcome)
        text = json.dumps([asdict(each) for each in outcomes], indent=1)
        (folder / "outcomes.json").write_text(f"{text}\n", encoding="utf-8")
    click.echo("── all parts")
    for outcome in outcomes:
        click.echo(str(outcome))
    if rehearse:
        for name in MADE_OF_VALUES:
            shutil.rmtree(folder / name, ignore_errors=True)
    sys.exit(0 if all(outcome.status in ("passed", "rehearsed") for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
