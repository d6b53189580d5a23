"""The ways of training one setting, side by side in one process, and how long each takes: what ``speed`` times."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import psutil
import torch

from wganbench.runner.clock import wait_for
from wganbench.runner.cohort import make_trainer, step_of
from wganbench.runner.precision import products
from wganbench.runner.speed.plain import PlainLoop, unwritten
from wganbench.spec import Setting

Execution = Literal["eager", "captured"]
MATMUL_SIDE = {"cpu": 1024, "cuda": 8192}
"""Of the square matrices whose product is taken for all that a device can do."""


class Bench:
    """A stack of seeds by the runner, one seed by the runner, one seed by a plain loop, and a product of matrices.

    The plain loop is in float32, all else in the setting's precision. Each way has its own networks and takes one step
    before it is timed; the stack is first, and alone, so that the memory is its own.

    Args:
        seeds: Of the stack; the first is the one that is trained alone.

    Attributes:
        once: Seconds of one step by way: ``stack``, ``one`` (where the stack has more seeds), ``plain`` (where such a
            loop is written), ``matmul``.
        execution, why_eager: How the runner takes its steps, and what keeps them from being captured; None on a CPU.
        memory_bytes: The most that was held while the stack was made and trained: of the card, or of this process.

    Raises:
        DataError, ExtensionError: If data or an object cannot be had; whatever a stranger's object raises.
    """

    def __init__(self, setting: Setting, seeds: Sequence[int], device: torch.device):
        self.device = device
        self.steps: dict[str, Callable[[], object]] = {}
        self.once: dict[str, float] = {}
        forget_peak(device)
        stack, self.execution, self.why_eager = as_run(setting, seeds, device)
        self._add("stack", stack)
        self.memory_bytes = peak_bytes(device)
        if len(seeds) > 1:
            self._add("one", as_run(setting, seeds[:1], device)[0])
        if unwritten(setting) is None:
            self._add("plain", in_float32(PlainLoop(setting, seeds[0], device).step, device))
        self._add("matmul", product(device, setting.precision))

    def _add(self, way: str, step: Callable[[], object]) -> None:
        step()
        self.steps[way] = step
        self.once[way] = self.seconds(way, 1)

    def seconds(self, way: str, n: int) -> float:
        """Of ``n`` consecutive steps."""
        return seconds_of(self.steps[way], n, self.device)

    def rate(self, way: str, n: int) -> float:
        """Steps a second of ``n`` consecutive ones."""
        return n / self.seconds(way, n)


def in_float32(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A plain step in plain float32, whatever the runner is set to beside it."""

    def taken() -> None:
        with products(device, "fp32"):
            step()

    return taken


def seconds_of(step: Callable[[], object], n: int, device: torch.device) -> float:
    """Of ``n`` consecutive steps, from when the device has nothing to do until it has done them."""
    wait_for(device)
    began = time.perf_counter()
    for _ in range(n):
        step()
    wait_for(device)
    return time.perf_counter() - began


def as_run(
    setting: Setting, seeds: Sequence[int], device: torch.device
) -> tuple[Callable[[], object], Execution, str | None]:
    """A step as the runner takes it with these seeds stacked, how, and why not captured where that was tried."""
    said: list[str] = []
    step, captured = step_of(make_trainer(setting, seeds, device), device, graph=True, warn=said.append)
    return step, "captured" if captured else "eager", said[0] if said else None


def product(device: torch.device, precision: str) -> Callable[[], object]:
    """A product of two large square matrices, at the precision that the setting is trained in."""
    side, dtype = MATMUL_SIDE[device.type], torch.bfloat16 if precision == "bf16" else torch.float32
    rng = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(side, side, generator=rng, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def product_flops(device: torch.device) -> float:
    """Operations of one `product`: a multiplication and an addition for each entry and each term of it."""
    return 2.0 * MATMUL_SIDE[device.type] ** 3


# ---- memory -------------------------------------------------------------------------------------------------------


def forget_peak(device: torch.device) -> None:
    """From here on `peak_bytes` counts anew; of a process, where the system allows it, which Linux does."""
    gc.collect()  # what was measured before is not to be counted
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def peak_bytes(device: torch.device) -> int:
    """The most that has been held: of tensors on the card, or resident in this process, code included."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        told = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        told = None
    return int(told[1]) * 1024 if told else int(psutil.Process(os.getpid()).memory_info().rss)


def held_bytes(device: torch.device) -> int:
    """What is held now, counted as `peak_bytes` counts it."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process(os.getpid()).memory_info().rss)


def free_bytes(device: torch.device) -> int:
    """What the device has left for anybody."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)
