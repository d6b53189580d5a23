"""Finds the number of stacked seeds that a device trains fastest, by trying 1, 2, 4, 8, … for a moment each."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from wganbench.records.custom_code import import_folders
from wganbench.runner.cohort import is_out_of_memory
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.precision import numerics
from wganbench.runner.speed.bench import as_run, forget_peak, free_bytes, held_bytes, peak_bytes, seconds_of
from wganbench.runner.speed.measure import told_of
from wganbench.spec import MAX_STACK, Setting
from wganbench.spec.plan import Run

WORTH = 1.1
"""The factor by which a larger stack must be faster than the best smaller one."""
PATIENCE = 2
"""The number of sizes without a gain after which no larger one is tried; the overhead of stacking may make two seeds
slower although eight are faster."""
ROUNDS = 5
BLOCK_SECONDS = 0.1
"""The length of a block of consecutive steps that are timed together; a block is one step if that takes longer."""


@dataclass(frozen=True)
class Tried:
    """The speed and memory of a stack that was trained for a moment.

    Attributes:
        stack: The number of seeds.
        gain: The seed-steps per second, divided by those of a stack of 1 that was timed in turns with it.
        seed_steps: The seed-steps per second.
        memory_bytes: The memory that the stack added to what was held before.
    """

    stack: int
    gain: float
    seed_steps: float
    memory_bytes: int


@dataclass(frozen=True)
class Suggestion:
    """The suggested stack size. It is never applied automatically, since a plan's stack is part of what is recorded.

    Attributes:
        tried: The stacks that were tried, in the order of their size from 1, without one that took too much memory.
        ended: The reason why no larger stack was tried.
    """

    tried: tuple[Tried, ...]
    ended: str

    @property
    def best(self) -> Tried:
        return best_of(self.tried)

    def says(self, device: str, own: int) -> str:
        """Describes the suggestion in one line.

        Args:
            device: ``cpu`` or ``cuda``.
            own: The spec's stack.
        """
        best, cores = self.best, os.cpu_count() or 1
        others = ", ".join(f"{each.stack}: {each.gain:.2f} ×" for each in self.tried if each.stack > 1)
        gains = f" ({others})" if others else ""
        if best.stack == 1:
            how = f"one process a core, --stack 1 --jobs {cores} --threads 1" if device == "cpu" else "--stack 1"
            text = f"stack 1, {best.seed_steps:,.3g} seed-steps/s: more seeds in a stack gain nothing{gains}; {how}"
        else:
            text = (
                f"stack {best.stack}, {best.seed_steps:,.3g} seed-steps/s, {best.gain:.2f} × those of a stack of 1"
                f"{gains}; --stack {best.stack}"
            )
        return f"{text}; {self.ended}; the spec's stack is {own}"


def best_of(tried: Sequence[Tried]) -> Tried:
    """Returns the best stack: going up in size, the last one that is ``WORTH`` times as fast as the best before it."""
    best = tried[0]
    for each in tried[1:]:
        if each.gain >= WORTH * best.gain:
            best = each
    return best


def grow(attempt: Callable[[int], Tried | None], free: int, most: int = MAX_STACK) -> Suggestion:
    """Doubles the stack until a larger one gains nothing more, or memory runs short.

    Args:
        attempt: Trains a stack for a moment; returns None if there is not enough memory, but never for a stack of 1.
        free: The free memory of the device in bytes; a stack may take half of it, since the next would take all.
        most: The largest stack.
    """
    tried: list[Tried] = []
    stack = 1
    while stack <= most:
        found = attempt(stack)
        if found is None or (tried and found.memory_bytes > free / 2):
            return Suggestion(tuple(tried), f"a stack of {stack} takes too much of the memory that is free")
        tried.append(found)
        if sum(each.stack > best_of(tried).stack for each in tried) >= PATIENCE:
            return Suggestion(tuple(tried), f"{stack} gains less than {100 * (WORTH - 1):.0f} % over it")
        stack *= 2
    return Suggestion(tuple(tried), f"{most} is the most that a plan takes")


def suggest(run: Run, device: torch.device, threads: int, spec_path: str) -> Suggestion:
    """Tries stacks of the setting of ``run`` on this device.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
        SpecError: If the variant cannot be trained here.
    """
    add_import_folders(import_folders(spec_path))
    with numerics(device, threads, precision=run.setting.precision), told_of(run):
        alone = as_run(run.setting, [0], device)[0]
        alone()

        def attempt(stack: int) -> Tried | None:
            try:
                return _attempt(run.setting, device, alone, stack)
            except Exception as error:
                if not is_out_of_memory(error) or stack == 1:
                    raise
                return None

        return grow(attempt, free_bytes(device))


def _attempt(setting: Setting, device: torch.device, alone: Callable[[], object], stack: int) -> Tried:
    before = held_bytes(device)
    forget_peak(device)
    step = as_run(setting, range(stack), device)[0]
    step()
    held = max(0, peak_bytes(device) - before)
    counts = [math.ceil(BLOCK_SECONDS / seconds_of(each, 1, device)) for each in (alone, step)]
    gains, rates = [], []
    for _ in range(ROUNDS):
        one, many = (n / seconds_of(each, n, device) for each, n in zip((alone, step), counts, strict=True))
        gains.append(stack * many / one)
        rates.append(stack * many)
    return Tried(stack, statistics.median(gains), statistics.median(rates), held)
