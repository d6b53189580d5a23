"""Measures how fast this machine takes steps, for the estimates of ``plan``."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

import torch

from wganbench.errors import SpecError, WganbenchError, first_line
from wganbench.records.custom_code import import_folders
from wganbench.records.rates import Measured, Point, kind, processor_name, torch_version
from wganbench.runner.build import make_trainer
from wganbench.runner.clock import wait_for
from wganbench.runner.cohort import is_out_of_memory
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.precision import numerics, products
from wganbench.spec.plan import Cohort, step_flops

BLOCKS = 5
BLOCK_SECONDS = 0.2
"""The length of a block of consecutive steps that are timed together; a block is one step if that takes longer."""
LONG_SECONDS = 5.0
"""A step that takes longer than this is timed only once."""

Tell = Callable[[str], None]
"""A function that is called with a line about each setting that was measured."""


def calibrate(
    cohorts: Sequence[Cohort], device: torch.device, threads: int, spec_path: str, tell: Tell = lambda line: None
) -> Measured:
    """Measures the rates of steps of ``cohorts``, trained as ``run`` would train them.

    Args:
        cohorts: Cohorts whose cost is known.
        device: The device to train on.
        threads: The number of CPU threads.
        spec_path: The path of the spec, beside which custom modules may be.
        tell: Called with a line about each setting that was measured.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
        SpecError: If a cohort cannot be trained here.
    """
    add_import_folders(import_folders(spec_path))
    with numerics(device, threads):
        points = [point for cohort in cohorts for point in _measured(cohort, device, tell)]
    return Measured(
        device="cuda" if device.type == "cuda" else "cpu",
        name=torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name(),
        torch=torch_version(),
        threads=threads,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        points=points,
    )


def _measured(cohort: Cohort, device: torch.device, tell: Tell) -> Iterator[Point]:
    first = cohort.runs[0]
    flops = step_flops(first.setting)
    assert flops is not None
    flops *= len(cohort.runs)
    try:
        trainer = make_trainer(first.setting, cohort.seeds, device)
        with products(device, first.setting.precision):
            seconds = seconds_a_step(trainer.step, partial(wait_for, device))
    except Exception as error:  # a custom object may raise anything
        if isinstance(error, WganbenchError):
            raise
        why = "no memory for it" if is_out_of_memory(error) else first_line(error, with_type=True)
        raise SpecError(
            f"--calibrate: {first.variant} cannot be trained here ({why}); --variant names others"
        ) from None
    tell(
        f"{first.variant}: a step of {flops / 1e9:,.3g} GFLOP takes {seconds:.3g} s: "
        f"{flops / seconds / 1e9:,.3g} GFLOP/s"
    )
    yield Point(kind=kind(first.setting), flops=flops, rate=flops / seconds)


def seconds_a_step(step: Callable[[], None], wait: Callable[[], None]) -> float:
    """Returns the median seconds per step of several timings, after one untimed step, since the first is the slowest.

    Args:
        step: Takes one step.
        wait: Returns once the device has finished all its work.
    """
    step()
    once = _seconds(step, wait, 1)
    if once > LONG_SECONDS:
        return once
    n = math.ceil(BLOCK_SECONDS / once)
    return statistics.median(_seconds(step, wait, n) for _ in range(BLOCKS))


def _seconds(step: Callable[[], None], wait: Callable[[], None], n: int) -> float:
    wait()
    began = time.perf_counter()
    for _ in range(n):
        step()
    wait()
    return (time.perf_counter() - began) / n
