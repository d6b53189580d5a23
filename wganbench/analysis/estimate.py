"""Estimates the cost of planned cohorts: parameters, operations and hours, from counts and measured rates."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wganbench.records.rates import DeviceChoice, Measured, kind
from wganbench.spec import Setting
from wganbench.spec.plan import CPU_CORE_FLOPS, Cohort, Run, step_flops

T = TypeVar("T")

GPU_FLOPS = 3e12
"""A guess of the operations per second of a GPU without measured rates, where launching kernels dominates a step."""

NOT_KNOWN = "–"


@dataclass(frozen=True)
class Speed:
    """The assumed speed of a device.

    Attributes:
        measured: The measured rates; None if there is only a guess.
        device: The device as requested; the guess takes ``auto`` to be the CPU.
        threads: The number of CPU threads.
    """

    measured: Measured | None
    device: DeviceChoice
    threads: int

    @property
    def guess(self) -> float:
        """The operations per second to assume if nothing was measured."""
        return GPU_FLOPS if self.device == "cuda" else CPU_CORE_FLOPS * self.threads

    def is_measured(self, setting: Setting) -> bool:
        return self.measured is not None and self.measured.rate(kind(setting), 1.0) is not None

    def seconds(self, setting: Setting, flops: float) -> float:
        """The time in seconds of a step of ``flops`` operations."""
        rate = self.measured.rate(kind(setting), flops) if self.measured else None
        return flops / (rate or self.guess)

    @property
    def guess_text(self) -> str:
        return f"{self.guess / 1e9:,.0f} GFLOP/s, a guess"

    def describe(self) -> str:
        if self.measured is None:
            return f"at {self.guess_text}; --calibrate measures the rates of this machine"
        rates = self.measured
        threads = f"{rates.threads} thread{'s' if rates.threads > 1 else ''}"
        return f"by rates measured on {rates.name} (torch {rates.torch}, {threads}, {rates.when[:10]})"


@dataclass(frozen=True)
class VariantCost:
    """The cost of one variant of the plan.

    Attributes:
        seeds, done: The number of its runs, and of those that are recorded and have not failed.
        cohorts, steps: The number of its cohorts, and of generator steps in each.
        generator, critic: The number of trained parameters; None if it is not known, or nothing is trained.
        step_flops: The operations of a generator step of one seed with its whole batch; None if not known.
        measured: Whether the hours are based on a measured rate; otherwise on a guess.
        hours, hours_left: The hours of all its cohorts one after the other, and of those that are not done (0 if all
            are done); None if the cost is not known.
    """

    variant: str
    family: str
    seeds: int
    done: int
    cohorts: int
    steps: int
    generator: int | None
    critic: int | None
    step_flops: float | None
    measured: bool
    hours: float | None
    hours_left: float | None

    def as_row(self) -> dict[str, str]:
        """The row's cells as text, by column."""
        return {
            "variant": self.family,
            "seeds": str(self.seeds),
            "steps": f"{self.steps:,}",
            "done": f"{self.done}/{self.seeds}",
            "generator": NOT_KNOWN if self.generator is None else f"{self.generator:,}",
            "critic": NOT_KNOWN if self.critic is None else f"{self.critic:,}",
            "GFLOP a step and seed": NOT_KNOWN if self.step_flops is None else f"{self.step_flops / 1e9:,.3g}",
            "time": "unknown" if self.hours is None else format_hours(self.hours),
        }


@dataclass(frozen=True)
class Estimate:
    """The cost of a whole plan: of training alone, without the measures taken along the way.

    Attributes:
        hours_left: The hours of all cohorts that are not done, one after the other, counting those of known cost; None
            if no cost is known.
        wall_hours: The same with several jobs at a time, the most expensive first.
    """

    rows: list[VariantCost]
    hours_left: float | None
    wall_hours: float | None

    def lines(self, speed: Speed, jobs: int) -> Iterator[str]:
        """Yields lines on the total time and what the estimate is based on."""
        if all(row.done == row.seeds for row in self.rows):
            yield "all of it is recorded; nothing is left to train"
            return
        unknown = sum(row.hours_left is None for row in self.rows)
        if self.hours_left is None or self.wall_hours is None:
            yield "time left: unknown, since only the operations of wganbench's own networks and data are counted"
            return
        at_a_time = f"; {format_hours(self.wall_hours)} with {jobs} jobs at a time" if jobs > 1 else ""
        yield f"{about_hours(self.hours_left)} of training left, without measures{at_a_time}"
        yield f"the time is estimated by counting operations, {speed.describe()}"
        unmeasured = sum(not row.measured and row.hours is not None for row in self.rows)
        if speed.measured is not None and unmeasured:
            yield f"{unmeasured:,} variants of kinds not measured: at {speed.guess_text}; --calibrate measures them"
        if unknown:
            yield f"{unknown:,} variants of unknown cost are not in it"


def format_hours(hours: float) -> str:
    """Formats hours as seconds, minutes or hours, with two digits."""
    for size, unit in ((1.0, "h"), (1 / 60, "min")):
        if hours >= size:
            return f"{hours / size:.2g} {unit}" if hours / size < 99.5 else f"{hours / size:,.0f} {unit}"
    seconds = hours * 3600
    return f"{seconds:.2g} s" if seconds >= 0.1 or not seconds else "under 0.1 s"


def about_hours(hours: float) -> str:
    """Formats estimated hours, such as ``"about 2 h"`` or ``"under 0.1 s"``."""
    text = format_hours(hours)
    return text if text.startswith("under") else f"about {text}"


def estimate(cohorts: Iterable[Cohort], done: Container[str], speed: Speed, jobs: int = 1) -> Estimate:
    """Estimates the cost of ``cohorts``, with one row per variant in their order.

    Args:
        done: The ids of runs that need no training; a cohort is trained as a whole unless all its runs are done.
        jobs: The number of cohorts trained at a time, each assumed to be as fast as if it were alone.
    """
    families: dict[str, list[Cohort]] = {}
    for cohort in cohorts:
        families.setdefault(cohort.runs[0].family, []).append(cohort)
    rows, left = [], []
    for family, own in families.items():
        row, hours_left = _row(family, own, done, speed)
        rows.append(row)
        left += hours_left
    if not left and any(row.hours_left is None for row in rows):
        return Estimate(rows, None, None)
    return Estimate(rows, sum(left), wall(left, jobs))


def _row(family: str, own: Sequence[Cohort], done: Container[str], speed: Speed) -> tuple[VariantCost, list[float]]:
    """Returns a variant's row, and the hours of each of its cohorts that is not done."""
    first = own[0].runs[0]
    setting, flops, costs = first.setting, step_flops(first.setting), first.setting.costs() or {}
    runs = [run for cohort in own for run in cohort.runs]
    n_done = sum(run.id in done for run in runs)
    hours = [_hours(cohort, flops, speed) for cohort in own] if flops is not None else []
    left = [each for each, cohort in zip(hours, own, strict=False) if not all(run.id in done for run in cohort.runs)]
    row = VariantCost(
        variant=first.variant,
        family=family,
        seeds=len(runs),
        done=n_done,
        cohorts=len(own),
        steps=setting.steps,
        generator=costs["generator"].parameters if "generator" in costs else None,
        critic=costs["critic"].parameters if "critic" in costs else None,
        step_flops=flops,
        measured=speed.is_measured(setting),
        hours=None if flops is None else sum(hours),
        hours_left=None if flops is None and n_done < len(runs) else sum(left),
    )
    return row, left


def _hours(cohort: Cohort, flops: float, speed: Speed) -> float:
    setting = cohort.runs[0].setting
    return setting.steps * speed.seconds(setting, flops * len(cohort.runs)) / 3600


def wall(hours: Iterable[float], jobs: int) -> float:
    """The hours until ``jobs`` workers finish, if a free worker always takes the most expensive job left."""
    ends = [0.0] * jobs
    for each in sorted(hours, reverse=True):
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def representatives(cohorts: Iterable[Cohort]) -> list[Cohort]:
    """The first cohorts of the cheapest, the median and the most expensive variant of each kind, by cost per step.

    There are fewer if a kind has fewer distinct costs, and none if no cost is known.
    """
    firsts: dict[str, Cohort] = {}
    for cohort in cohorts:
        firsts.setdefault(cohort.runs[0].family, cohort)
    kinds: dict[str, dict[float, Cohort]] = {}
    for cohort in firsts.values():
        flops = step_flops(cohort.runs[0].setting)
        if flops is not None:
            kinds.setdefault(kind(cohort.runs[0].setting), {})[flops * len(cohort.runs)] = cohort
    return [cohort for sizes in kinds.values() for cohort in _three([sizes[flops] for flops in sorted(sizes)])]


def cheapest_median_dearest(runs: Iterable[Run]) -> list[Run]:
    """The cheapest, median and most expensive of one experiment's runs by cost per step; none if no cost is known."""
    costs = [(step_flops(run.setting), run) for run in runs]
    known = [(flops, run) for flops, run in costs if flops is not None]
    return _three([run for _, run in sorted(known, key=lambda pair: pair[0])])


def _three(ranked: Sequence[T]) -> list[T]:
    """The first, the middle and the last item, without duplicates."""
    return [ranked[place] for place in sorted({0, (len(ranked) - 1) // 2, len(ranked) - 1})] if ranked else []
