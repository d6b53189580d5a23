"""Times several ways of training one setting side by side in one process, for ``wganbench speed``."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psutil
import torch

from wganbench.errors import DataError, ExtensionError, SpecError, first_line
from wganbench.records.rates import processor_name
from wganbench.runner.build import make_step, make_trainer
from wganbench.runner.clock import wait_for
from wganbench.runner.cohort import is_out_of_memory
from wganbench.runner.precision import products
from wganbench.runner.speed.peer import peer_step
from wganbench.runner.speed.plain import PlainLoop, unwritten
from wganbench.spec import Setting
from wganbench.spec.plan import Run

Execution = Literal["eager", "captured"]
MATMUL_SIDE = {"cpu": 1024, "cuda": 8192}
"""The side of the square matrices whose product serves as the measure of a device's peak rate."""


class Bench:
    """The timed ways: a stack of seeds and one seed in the runner, one seed in a plain loop, a peer, a matrix product.

    The plain loop and the peer are in float32, the rest in the setting's precision. Each way has its own networks and
    takes one step before it is timed. The stack is created first, before the other ways, so that the measured memory is
    its own.

    Args:
        seeds: The seeds of the stack; the first one is also trained alone.
        peer: The function that makes a peer's step, as ``package.module:function``; None for no peer.

    Attributes:
        once: The seconds of one step by way: ``stack``, ``one`` (if the stack has several seeds), ``plain`` (if such a
            loop is written), ``peer`` (if there is one) and ``matmul``.
        execution: Whether the runner's steps are eager or captured.
        why_eager: The reason why steps could not be captured; None if they were, and on a CPU.
        memory_bytes: The most memory held while the stack was built and trained, on the GPU or else in this process.

    Raises:
        DataError, ExtensionError: If data or an object is not available; custom objects may raise any exception.
    """

    def __init__(self, setting: Setting, seeds: Sequence[int], device: torch.device, peer: str | None = None):
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
        if peer is not None:
            self._add("peer", in_float32(peer_step(peer, setting, device), device))
        self._add("matmul", product(device, setting.precision))

    def _add(self, way: str, step: Callable[[], object]) -> None:
        step()
        self.steps[way] = step
        self.once[way] = seconds_of(step, 1, self.device)

    def rate(self, way: str, n: int) -> float:
        """Returns the steps per second over ``n`` consecutive steps."""
        return n / seconds_of(self.steps[way], n, self.device)


def device_name(device: torch.device) -> str:
    """Returns the name that the GPU or the processor reports."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def in_float32(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Wraps a step to run in plain float32, whatever precision the runner is set to."""

    def taken() -> None:
        with products(device, "fp32"):
            step()

    return taken


def seconds_of(step: Callable[[], object], n: int, device: torch.device) -> float:
    """Returns the time of ``n`` consecutive steps, from an idle device until the device has finished them."""
    wait_for(device)
    began = time.perf_counter()
    for _ in range(n):
        step()
    wait_for(device)
    return time.perf_counter() - began


def after_warmup(setting: Setting) -> Setting:
    """Returns the setting without a critic warm-up, of which all timed steps, the first ones, would be part."""
    return setting.model_copy(update={"critic_warmup": None})


def as_run(
    setting: Setting, seeds: Sequence[int], device: torch.device
) -> tuple[Callable[[], object], Execution, str | None]:
    """Returns the runner's step for these stacked seeds, how it is executed, and the reason if capturing failed."""
    messages: list[str] = []
    step, captured = make_step(make_trainer(setting, seeds, device), graph=True, on_message=messages.append)
    return step, "captured" if captured else "eager", messages[0] if messages else None


def product(device: torch.device, precision: str) -> Callable[[], object]:
    """Returns a function that multiplies two large square matrices in the precision that the setting is trained in."""
    side, dtype = MATMUL_SIDE[device.type], torch.bfloat16 if precision == "bf16" else torch.float32
    rng = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(side, side, generator=rng, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def product_flops(device: torch.device) -> float:
    """Returns the operations of one `product`: a multiplication and an addition for each term of each entry."""
    return 2.0 * MATMUL_SIDE[device.type] ** 3


# ---- errors -------------------------------------------------------------------------------------------------------


class FailedError(Exception):
    """An error in another process, described in a few words, since this one may not know a custom exception class."""


def describe_failure(error: Exception) -> str:
    """Describes an exception in a few words."""
    if isinstance(error, FailedError):
        return str(error)
    return "no memory for it" if is_out_of_memory(error) else first_line(error, with_type=True)


@contextmanager
def errors_of(run: Run) -> Iterator[None]:
    """Turns an exception in training ``run`` into a one-line SpecError; DataError and ExtensionError pass unchanged."""
    try:
        yield
    except (DataError, ExtensionError):
        raise
    except Exception as error:  # a custom object may raise anything
        raise SpecError(
            f"{run.experiment}, {run.variant}: cannot be trained here ({describe_failure(error)}); --variant selects "
            "others"
        ) from None


# ---- memory -------------------------------------------------------------------------------------------------------


def forget_peak(device: torch.device) -> None:
    """Resets the peak that `peak_bytes` returns; for a process only if the system allows it, as Linux does."""
    gc.collect()  # memory of earlier measurements must not count
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def peak_bytes(device: torch.device) -> int:
    """Returns the peak memory: of tensors on the GPU, or else resident in this process, including code."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else int(psutil.Process(os.getpid()).memory_info().rss)
