"""Which number of stacked seeds a device trains fastest, by trying 1, 2, 4, 8, … for a moment each."""

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
"""A larger stack has to gain so much over the best smaller one."""
PATIENCE = 2
"""Sizes without a gain after which no larger one is tried: two seeds may lose by what stacking costs, eight gain."""
ROUNDS = 5
BLOCK_SECONDS = 0.1
"""Of consecutive steps that are timed together; one step, where that takes longer."""


@dataclass(frozen=True)
class Tried:
    """A stack that was trained for a moment.

    Attributes:
        gain: Its steps of a seed a second over those of a stack of 1, timed in turns.
        seed_steps: The former.
        memory_bytes: What it held beyond what was held before.
    """

    stack: int
    gain: float
    seed_steps: float
    memory_bytes: int


@dataclass(frozen=True)
class Suggestion:
    """What came of it; nothing is changed by it, since a plan's stack is part of what is recorded.

    Attributes:
        tried: In the order of their size, from 1; without one that took too much memory.
        ended: Why no larger one was tried.
    """

    tried: tuple[Tried, ...]
    ended: str

    @property
    def best(self) -> Tried:
        return best_of(self.tried)

    def says(self, device: str, own: int) -> str:
        """One line.

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
    """The smallest that no larger one gains enough over."""
    best = tried[0]
    for each in tried[1:]:
        if each.gain >= WORTH * best.gain:
            best = each
    return best


def grow(attempt: Callable[[int], Tried | None], free: int, most: int = MAX_STACK) -> Suggestion:
    """Doubles the stack until that gains nothing more, or memory is short.

    Args:
        attempt: Trains a stack for a moment; None where there is no memory for it, as there is for a stack of 1.
        free: Bytes that the device has left; a stack may hold half of it, as the next would hold all.
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
        DataError, ExtensionError: If data or an object cannot be had.
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
