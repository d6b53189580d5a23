"""Measures how fast this machine takes steps, for the estimates of ``plan``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import torch

from wganbench.records.custom_code import import_folders
from wganbench.records.rates import Measured, Point, kind, torch_version
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.precision import numerics
from wganbench.runner.speed.bench import after_warmup, as_run, device_name, errors_of, seconds_of
from wganbench.spec import Setting
from wganbench.spec.plan import Cohort, step_flops

BLOCKS = 5
BLOCK_SECONDS = 0.2
"""The length of a block of consecutive steps that are timed together; a block is one step if that takes longer."""
LONG_SECONDS = 5.0
"""A step that takes longer than this is timed only once."""


def calibrate(
    cohorts: Sequence[Cohort],
    device: torch.device,
    threads: int,
    spec_path: str,
    on_message: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Measures the rates of the steps of ``cohorts``, which are taken as in training.

    Args:
        cohorts: Cohorts whose cost is known.
        device: The device to train on.
        threads: The number of CPU threads.
        spec_path: The path of the spec, beside which custom modules may be.
        on_message: Called with a line about each setting that was measured.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
        SpecError: If a cohort cannot be trained here.
    """
    add_import_folders(import_folders(spec_path))
    points = []
    for cohort in cohorts:
        first = cohort.runs[0]
        setting = after_warmup(first.setting)
        flops = len(cohort.runs) * (step_flops(setting) or math.nan)
        with errors_of(first), numerics(device, threads, precision=first.setting.precision):
            seconds, why_eager = _seconds(setting, cohort.seeds, device)
        points.append(Point(kind=kind(first.setting), flops=flops, rate=flops / seconds))
        if why_eager is not None:
            on_message(f"{first.variant}: {why_eager}")
        speed = f"{flops / seconds / 1e9:,.3g} GFLOP/s"
        on_message(f"{first.variant}: a step of {flops / 1e9:,.3g} GFLOP takes {seconds:.3g} s: {speed}")
    return Measured(
        device="cuda" if device.type == "cuda" else "cpu",
        name=device_name(device),
        torch=torch_version(),
        threads=threads,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        points=points,
    )


def _seconds(setting: Setting, seeds: Sequence[int], device: torch.device) -> tuple[float, str | None]:
    """Returns the seconds per step, and the reason if steps cannot be captured; frees the trainer and its graph."""
    step, _, why_eager = as_run(setting, seeds, device)
    return seconds_per_step(step, device), why_eager


def seconds_per_step(step: Callable[[], object], device: torch.device) -> float:
    """Returns the median seconds per step over several blocks, after one untimed step, as the first is the slowest."""
    step()
    once = seconds_of(step, 1, device)
    if once > LONG_SECONDS:
        return once
    n = math.ceil(BLOCK_SECONDS / once)
    return statistics.median(seconds_of(step, n, device) / n for _ in range(BLOCKS))
