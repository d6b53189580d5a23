"""The table of ``wganbench judge``: a candidate's runs beside those of the method that it replaces, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from wganbench.analysis import stats
from wganbench.analysis.comparability import basis_of
from wganbench.analysis.results import value_or_worst
from wganbench.analysis.tables.cells import between, fields, limits, number
from wganbench.analysis.tables.table import Row, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, parse_seeds, scale_of
from wganbench.spec.judged import Budget, Counted
from wganbench.spec.judging import LEVEL, name_in

Judgement = Literal["better", "worse", "equivalent", "open"]
WORDS: tuple[Judgement, ...] = get_args(Judgement)

FEWEST = 5
"""The fewest pairs that can settle anything, as everywhere in the suite."""


@dataclass(frozen=True)
class Pairs:
    """A candidate beside a reference on one measure.

    Attributes:
        experiment, variant, profile: The experiment, the variant that is replaced, and the profile.
        measure: The label of the measure.
        counted: Its margin and, if it has one, its best value.
        sign: 1 if a higher value is better, −1 if a lower one is.
        candidate, reference: Values of the same seeds, in the same order; a diverged run has the worst value.
        n_planned: The number of seeds that were planned.
        runs: The ids of each pair of runs, the candidate's first.
        n_diverged: The number of diverged runs of the candidate among these seeds.
        n_failed: The number of failed runs, of either, which leave no pair.
    """

    experiment: str
    variant: str
    profile: str
    measure: str
    counted: Counted
    sign: int
    candidate: tuple[float, ...]
    reference: tuple[float, ...]
    n_planned: int
    n_diverged: int = 0
    n_failed: int = 0
    runs: tuple[tuple[str, str], ...] = ()

    @property
    def differences(self) -> list[float]:
        """Returns the difference of the scores of each pair, above 0 if the candidate is better; NaN of infinities."""
        return [mine - theirs for mine, theirs in zip(*self.scores(), strict=True)]

    def scores(self) -> tuple[list[float], list[float]]:
        """Returns both as scores of which the higher is better, in the measure's unit; −∞ for a run without a value."""
        target = self.counted.target

        def score(value: float) -> float:
            if math.isnan(value):
                return -math.inf
            return self.sign * value if target is None else -abs(value - target)

        return [score(value) for value in self.candidate], [score(value) for value in self.reference]


@dataclass(frozen=True)
class Settled:
    """What the runs of a pair settle.

    Attributes:
        judgement: ``better`` or ``worse`` by more than the margin, ``equivalent`` within it, or ``open``.
        difference: The mean difference of the scores, above 0 if the candidate is better; None without pairs, or if it
            is not finite.
        interval: Its 95 % interval, unadjusted; None if there is none.
    """

    pairs: Pairs
    judgement: Judgement
    difference: float | None
    interval: stats.Interval | None


@dataclass(frozen=True)
class Compared:
    """An experiment as it ships, and with the variants of candidates.

    Attributes:
        shipped: The spec that ships, whose rows are judged.
        extended: The spec in the folder of the submission.
    """

    shipped: Experiment
    extended: Experiment


def pairs_of(
    candidate: str, specs: Compared, budget: Budget, own: Iterable[Record], reference: Iterable[Record]
) -> Iterator[Pairs]:
    """Yields a candidate's pairs on each row and measure that an experiment counts for a budget.

    Two runs make a pair if they have the same seed, kind of device, score protocol and data.

    Args:
        candidate: The candidate's name, which its variants begin with.
        specs: The experiment.
        budget: The budget that was trained.
        own: The records of the submission, of any experiments.
        reference: The records of the variants that it replaces.
    """
    mine = {(record.family, record.seed): record for record in own}
    theirs = {(record.family, record.seed): record for record in reference}
    spec = specs.shipped
    for row in spec.judge:
        share = row.share(budget)
        if share is None or name_in(candidate, row) not in specs.extended.variants:
            continue
        seeds, family = parse_seeds(share.seeds), spec.family(row.variant, share.profile)
        of_candidate = specs.extended.family(name_in(candidate, row), share.profile)
        keys = [((of_candidate, seed), (family, seed)) for seed in seeds]
        both = [(mine[one], theirs[other]) for one, other in keys if one in mine and other in theirs]
        both = [(one, other) for one, other in both if _are_comparable(one, other)]
        done = [(one, other) for one, other in both if "failed" not in (one.status, other.status)]
        setting = spec.setting(row.variant, share.profile)
        for label, counted in row.measures.items():
            yield Pairs(
                experiment=spec.name,
                variant=row.variant,
                profile=share.profile,
                measure=label,
                counted=counted,
                sign=1 if scale_of(setting.measures[label]).higher_is_better else -1,
                candidate=tuple(value_or_worst(one, label) for one, _ in done),
                reference=tuple(value_or_worst(other, label) for _, other in done),
                n_planned=len(seeds),
                n_diverged=sum(one.status == "diverged" for one, _ in done),
                n_failed=len(both) - len(done),
                runs=tuple((one.id, other.id) for one, other in done),
            )


def _are_comparable(one: Record, other: Record) -> bool:
    if "failed" in (one.status, other.status):
        return True  # a failed run has neither a score nor data, and is counted
    is_on_cpu = one.provenance.device == "cpu", other.provenance.device == "cpu"
    return is_on_cpu[0] == is_on_cpu[1] and basis_of(one) == basis_of(other)


def judge(every: Sequence[Pairs]) -> list[Settled]:
    """Judges rows of a table by paired sign-flip tests at a one-sided 2.5 %, Holm-adjusted within each experiment.

    *Better* and *worse* mean: by more than the margin. With fewer than five pairs, and until all planned seeds are
    there, a row is open.
    """
    found: list[Settled] = []
    for experiment in dict.fromkeys(pairs.experiment for pairs in every):
        own = [pairs for pairs in every if pairs.experiment == experiment]
        tests = [_tests(pairs) for pairs in own]
        adjusted = zip(*(stats.holm([each[place] for each in tests]) for place in range(3)), strict=True)
        found += [_judged(pairs, *p) for pairs, p in zip(own, adjusted, strict=True)]
    return found


def _tests(pairs: Pairs) -> tuple[float, float, float]:
    """Returns the p-values that the candidate is better by more than the margin, worse by more, and within it."""
    if len(pairs.candidate) < max(FEWEST, pairs.n_planned):
        return 1.0, 1.0, 1.0
    mine, theirs = pairs.scores()
    margin = pairs.counted.within
    better, worse = stats.paired_p(mine, theirs, margin)[0], stats.paired_p(theirs, mine, margin)[0]
    return better, worse, stats.paired_equivalence_p(mine, theirs, margin)[0]


def _judged(pairs: Pairs, better: float, worse: float, equivalent: float) -> Settled:
    found: dict[Judgement, float] = {"better": better, "worse": worse, "equivalent": equivalent}
    settled = [judgement for judgement, p in found.items() if p <= LEVEL]
    mine, theirs = pairs.scores()
    difference = stats.distance_of_means(mine, theirs) if mine else None
    return Settled(
        pairs=pairs,
        judgement=settled[0] if settled else "open",
        difference=difference if difference is not None and math.isfinite(difference) else None,
        interval=stats.paired_interval(mine, theirs),
    )


def table(candidate: str, every: Sequence[Settled]) -> Table:
    """Returns the table of a candidate, a line for each row and measure."""
    rows = tuple(Row(_cells(judged), _data(judged)) for judged in every)
    return Table(f"{candidate} beside the methods that it replaces", rows, NOTES)


NOTES = (
    "A difference is of scores: above 0, the candidate is better. Where a measure has a target, the distance from it "
    "counts. Intervals are unadjusted.",
    "better, worse: by more than the margin; equivalent: within it; each by a paired sign-flip test at a one-sided "
    "2.5 %, Holm-adjusted over the lines of an experiment. Diverged runs have the worst value.",
)


def _cells(judged: Settled) -> Mapping[str, str]:
    pairs = judged.pairs
    target = "" if pairs.counted.target is None else f" (target {number(pairs.counted.target)})"
    n = f"{len(pairs.candidate)}" if len(pairs.candidate) == pairs.n_planned else _lacking(pairs)
    return {
        "experiment": f"{pairs.experiment}, {pairs.profile}",
        "replaced": pairs.variant,
        "measure": f"{pairs.measure}{target}",
        "reference": number(_mean(pairs.reference)),
        "candidate": number(_mean(pairs.candidate)),
        "difference": number(judged.difference) + between(judged.interval),
        "margin": number(pairs.counted.within),
        "pairs": n + (f", {pairs.n_diverged} diverged" if pairs.n_diverged else ""),
        "judgement": f"**{judged.judgement}**",
    }


def _lacking(pairs: Pairs) -> str:
    failed = f", {pairs.n_failed} failed" if pairs.n_failed else ""
    return f"{len(pairs.candidate)} of {pairs.n_planned}{failed}"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _data(judged: Settled) -> dict[str, Any]:
    pairs = judged.pairs
    return {
        **fields(pairs, "experiment", "profile", "variant", "measure"),
        "within": pairs.counted.within,
        "target": pairs.counted.target,
        "reference": _mean(pairs.reference),
        "candidate": _mean(pairs.candidate),
        "difference": judged.difference,
        **limits(judged.interval),
        "n": len(pairs.candidate),
        **fields(pairs, "n_planned", "n_diverged", "n_failed"),
        "judgement": judged.judgement,
    }
