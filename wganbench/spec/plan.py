"""Expands a spec into fully resolved runs with ids, groups them into cohorts, and estimates their cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wganbench.errors import SpecError
from wganbench.networks.cost import is_piecewise_linear
from wganbench.spec import MAX_STACK, Experiment, Setting, family

CPU_CORE_FLOPS = 20e9
"""Observed throughput of one CPU core on these small networks; only for estimates, where nothing was measured."""

MAX_RUNS = 20_000
"""The most runs in a plan."""


@dataclass(frozen=True)
class Run:
    """One variant with one seed, fully resolved.

    Attributes:
        experiment, profile: The experiment and profile that requested the run. Neither is part of the id: runs with
            equal content are the same run.
        overrides: The ``--set`` texts that led to the setting, for the reader.
        claims: The id and digest of each check of the spec's claims at the time the run was planned.
        family: The setting id, shared by runs that differ only in seed: the variant's name and a hash of the setting.
        spec_path: The path of the spec, beside which custom modules may be; empty for a run that a record describes.
    """

    experiment: str
    profile: str
    variant: str
    seed: int
    setting: Setting
    overrides: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    family: str = ""
    spec_path: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.family:  # expand passes it in for all seeds of a setting, since hashing a setting is slow
            object.__setattr__(self, "family", family(self.variant, self.setting))

    @property
    def id(self) -> str:
        return f"{self.family}-s{self.seed}"


@dataclass(frozen=True)
class Cohort:
    """Runs that differ only in seed and train in lockstep."""

    runs: tuple[Run, ...]

    @property
    def id(self) -> str:
        return f"{self.runs[0].family}-s{self.runs[0].seed}-{self.runs[-1].seed}"

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)


def expand(experiment: Experiment, profile: str, seeds: Sequence[int], variants: Sequence[str] = ()) -> list[Run]:
    """Returns the runs of ``variants``, or of all variants of ``profile``, sorted by variant, then seed; each once.

    Raises:
        SpecError: If the profile or one of the variants is unknown, there is no seed or a negative one, or there are
            too many runs.
    """
    if not seeds:
        raise SpecError(f"{experiment.file}: no seeds; ask for at least one, such as --seeds 5")
    if min(seeds) < 0:
        raise SpecError(f"{experiment.file}: seeds start at 0, got {min(seeds)}")
    claims = tuple(item for claim in experiment.claims for item in experiment.digests_of(claim).items())
    overrides = tuple(f"{path}={json.dumps(value)}" for path, value in experiment.overrides)
    chosen = list(dict.fromkeys(variants)) or experiment.variants_of(profile)
    n_runs = len(chosen) * len(set(seeds))
    if n_runs > MAX_RUNS:
        raise SpecError(f"{experiment.file}: {n_runs:,} runs, at most {MAX_RUNS:,}; ask for fewer seeds or variants")
    return [
        Run(experiment.name, profile, variant, seed, setting, overrides, claims, name, experiment.path)
        for variant in chosen
        for setting in [experiment.setting(variant, profile)]
        for name in [experiment.family(variant, profile)]
        for seed in sorted(set(seeds))
    ]


def cohorts(runs: Iterable[Run], stack: int) -> list[Cohort]:
    """Groups runs into blocks of consecutive seeds (0 to stack − 1, stack to 2·stack − 1, …), recorded or not.

    Raises:
        SpecError: If ``stack`` is not between 1 and ``MAX_STACK``; the limit exists because each record lists its
            whole cohort.
    """
    if not 1 <= stack <= MAX_STACK:
        raise SpecError(f"--stack {stack}: must be between 1 and {MAX_STACK}")
    blocks: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        blocks.setdefault((run.family, run.seed // stack), []).append(run)
    return [Cohort(tuple(block)) for block in blocks.values()]


def step_flops(setting: Setting) -> float | None:
    """Returns the floating-point operations of one generator step for one seed; None if a network's cost is unknown.

    Counts two operations per weight and sample in a forward pass (for a convolution, also per position of the filter)
    and twice as many in a backward pass. Each gradient that is penalised adds one forward pass with the gradient and
    the derivative of both, or, for a piecewise linear critic, the derivative of the gradient only. A packed critic is
    called once for all samples of a pack.
    """
    costs = setting.costs()
    if costs is None:
        return None
    critic = costs["critic"].flops / (setting.pack or 1)
    generator = costs["generator"].flops if "generator" in costs else 0
    steps = setting.unroll.steps if setting.unroll else setting.mean_n_critic
    penalty = 4 if is_piecewise_linear(setting.critic.name, setting.critic.options) else 6
    second = 2 if setting.unroll and setting.unroll.order == "second" else 1
    generator_batch = setting.generator_batch_size or setting.batch_size
    critic_step = generator + (6 + setting.n_penalised * penalty) * critic
    generator_step = 3 * generator + 2 * critic if setting.generator else 0
    return setting.batch_size * second * steps * critic_step + generator_batch * generator_step
