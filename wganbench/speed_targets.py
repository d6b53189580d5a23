"""How much faster than a plain loop training is meant to be: named rows, each measured with ``speed --target NAME``."""

from __future__ import annotations

from dataclasses import dataclass

from wganbench.rates import DeviceKind
from wganbench.speeds import Row


@dataclass(frozen=True)
class Target:
    """What to measure, and what should come out.

    Attributes:
        jobs, seeds, threads: Processes at a time; stacked seeds of each; its CPU threads.
        ratio: The least that the stack should gain in seed-steps a second over the plain loop.
        stack_time: The most that a step of the stack should take in times of one of a single seed; None for any.
    """

    name: str
    says: str
    experiment: str
    profile: str
    variants: tuple[str, ...]
    device: DeviceKind
    jobs: int
    seeds: int
    threads: int
    ratio: float
    stack_time: float | None = None

    def wanted(self) -> str:
        """Such as ``"≥ 1.5 ×"``."""
        time = "" if self.stack_time is None else f", stack ≤ {self.stack_time:g} × one seed"
        return f"≥ {self.ratio:.3g} ×{time}"

    def is_met_by(self, row: Row) -> bool:
        """By the medians."""
        if row.ratio is None or row.ratio.median < self.ratio:
            return False
        return self.stack_time is None or row.stack_time.median <= self.stack_time


_RING = ("gan", "wgan-clip", "wgan-gp")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "ring-2-cores",
            "ring networks on 2 CPU cores, 16 seeds as two stacks of 8, against plain one-seed loops on the same cores",
            *("gaussians8", "paper", _RING, "cpu"),
            jobs=2,
            seeds=8,
            threads=1,
            ratio=1.5,
        ),
        Target(
            "toy-step-1-thread",
            "WGAN-GP 3×512 toy step on 1 CPU thread, at most 0.85 of the time of plain autograd.grad and loop Adam",
            *("penalties", "paper", ("ring-two-sided",), "cpu"),
            jobs=1,
            seeds=1,
            threads=1,
            ratio=1 / 0.85,
        ),
        Target(
            "ring-cuda",
            "ring networks on a card, 64 seeds, against one plain eager seed on the same card",
            *("gaussians8", "paper", _RING, "cuda"),
            jobs=1,
            seeds=64,
            threads=1,
            ratio=30.0,
            stack_time=3.0,
        ),
    )
}
