"""Named targets for the speedup of training over a plain loop, each measured with ``speed --target NAME``."""

from __future__ import annotations

from dataclasses import dataclass

from wganbench.records.rates import DeviceKind
from wganbench.records.speeds import Row


@dataclass(frozen=True)
class Target:
    """A speed measurement and the results it should have.

    Attributes:
        overrides: Changes to the spec, as for ``--set``, such as other images, on which the speed does not depend.
        jobs, seeds, threads: The number of processes at a time, and of stacked seeds and CPU threads in each.
        ratio: The least speedup of the stack over the plain loop, in seed-steps per second.
        stack_time: The longest a step of the stack should take, as a multiple of a step of a single seed; None for no
            limit.
        minutes: The longest ``MINUTES_STEPS`` steps of the stack should take, at the measured rate; None for no limit.
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
    minutes: float | None = None
    overrides: tuple[str, ...] = ()

    def wanted(self) -> str:
        """Describes the target, such as ``"≥ 1.5 ×"``."""
        time = "" if self.stack_time is None else f", stack ≤ {self.stack_time:g} × one seed"
        length = "" if self.minutes is None else f", {MINUTES_STEPS:,} steps ≤ {self.minutes:g} min"
        return f"≥ {self.ratio:.3g} ×{time}{length}"

    def is_met_by(self, row: Row) -> bool:
        """Returns whether the medians of ``row`` meet the target."""
        if row.ratio is None or row.ratio.median < self.ratio:
            return False
        if self.minutes is not None and minutes_of(row) > self.minutes:
            return False
        return self.stack_time is None or row.stack_time.median <= self.stack_time


MINUTES_STEPS = 100_000
"""The generator steps of the longest published training runs (Gulrajani et al. 2017, appendix F)."""


def minutes_of(row: Row) -> float:
    """The minutes that ``MINUTES_STEPS`` steps of the stack would take."""
    return MINUTES_STEPS / row.stack_steps / 60


SHAPES = 'data = { name = "shapes10" }'
"""A data set of images that needs no download, with images as large as the spec's."""
_DEEP = ("depth = 20", "filters = 32")
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
        Target(
            "resnet-cuda",
            "CIFAR-10 ResNet in TF32 on a card, one seed against a plain eager one in float32",
            *("table3", "paper", ("wgan-gp",), "cuda"),
            jobs=1,
            seeds=1,
            threads=1,
            ratio=3.0,
            minutes=45.0,
            overrides=('data = { name = "shapes10", scaling = "256-dequantised" }', 'precision = "tf32"'),
        ),
        Target(
            "deep-cuda",
            "WGAN-GP at a depth of 20 and 32 filters, 32×32, on a card, one seed against a plain eager one",
            *("table2", "paper", ("dcgan-wgan-gp",), "cuda"),
            jobs=1,
            seeds=1,
            threads=1,
            ratio=5.0,
            overrides=(SHAPES, *(f"{net}.{size}" for net in ("generator", "critic") for size in _DEEP)),
        ),
    )
}
