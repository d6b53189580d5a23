"""Compares two sets of records: verdicts side by side, and a test of every measure of every setting that both have.

Runs are compared only with runs of the same setting id, which have the same fields and the same protocols of all named
objects. Runs that were scored by different networks or trained on different copies of the data are not compared, and
seconds only between runs on the same device. Other differences of device or software are named in a note.

The p-values are Holm-adjusted over a family: all comparisons of one experiment under one profile. Comparisons without a
test, and those in which all values are equal, take no place in it; such a test could not reject whatever the signs or
the grouping of its values, so that leaving it out keeps the level (Tarone 1990).
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wganbench.analysis import comparability, stats
from wganbench.analysis.difference import LEVEL, Difference, compare_samples
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results, Summary, reported, summarise, value_or_worst
from wganbench.analysis.tables.published import headline
from wganbench.analysis.verdict import Verdict, judge
from wganbench.records.record import Record
from wganbench.spec import Experiment, MeasureUse, is_timed, scale_of, short
from wganbench.spec.catalogue import Scale

DIVERGED = "diverged"
"""The name under which the share of diverged runs is compared, where any run diverged."""
SHARE = Scale(higher_is_better=False, worst=1.0, bounded=True, unit="share of runs")
MOST_CHANGES = 3
"""The most fields that a note on differing settings names."""

Outcome = Literal["better", "worse", "higher", "lower", "no difference found", "equal", "not compared"]
"""The first folder's runs in relation to the second's."""
FOUND = ("better", "worse", "higher", "lower")
Records = Mapping[str, Record]


@dataclass(frozen=True)
class Pair:
    """One claim with its verdicts on both sets of records."""

    experiment: str
    here: Verdict
    there: Verdict

    @property
    def is_changed(self) -> bool:
        """Whether both sets have runs for the claim, and they lead to different verdicts."""
        return self.here.outcome != self.there.outcome and "not run" not in (self.here.outcome, self.there.outcome)


@dataclass(frozen=True)
class Compared:
    """One measure of one setting on both sides.

    Attributes:
        setting_id: The run id without the seed, which both sides share.
        why: The reason why the two sides were not compared; otherwise empty.
        adjusted: The p-value after Holm's adjustment.
        detectable: The smallest true difference that would have been found with 80 % chance if it were the only one of
            its family; infinite and None as from ``Difference.detectable``.
    """

    experiment: str
    profile: str
    variant: str
    setting_id: str
    measure: str
    scale: Scale
    protocol: str | None
    here: Summary
    there: Summary
    difference: Difference
    why: str = ""
    adjusted: float = 1.0
    detectable: float | None = None

    @property
    def outcome(self) -> Outcome:
        """The first side in relation to the second."""
        if self.difference.is_equal:
            return "equal"
        if not self.difference.test:
            return "not compared"
        if self.adjusted > LEVEL:
            return "no difference found"
        is_higher = self.difference.is_higher
        if self.scale.higher_is_better is None:
            return "higher" if is_higher else "lower"
        return "better" if is_higher == self.scale.higher_is_better else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two sets of records, compared.

    Attributes:
        claims: The live claims that either set has runs for: changed verdicts first, then those that only one set can
            judge, then equal ones.
        measures: The comparisons of measures: differences that were found first, otherwise in the order of the specs.
        notes: What was not compared and why, and on what devices and with what software the runs were made.
    """

    claims: tuple[Pair, ...]
    measures: tuple[Compared, ...]
    notes: tuple[str, ...]


def compare(
    experiments: Sequence[Experiment], here: Records, there: Records, *, every_measure: bool = False
) -> Comparison:
    """Compares two sets of records of these experiments.

    Args:
        here, there: The records of each set, by run id; those of profile ``smoke`` are left out as in a report.
        every_measure: Whether to compare all measures, and not only those that claims, published values or figures use.
    """
    here, there = reported(experiments, here), reported(experiments, there)
    claims: list[Pair] = []
    measures: list[Compared] = []
    notes: list[str] = []
    for experiment in experiments:
        first, second = Results(experiment, here), Results(experiment, there)
        own = _Settings(first, second)
        if not own.here:
            continue
        claims += _claims(first, second)
        chosen = None if every_measure else headline(experiment)
        measures += _adjusted(item for name in own.common for item in own.compare(name, chosen))
        notes += own.notes()
    return Comparison(
        claims=tuple(sorted(claims, key=_claim_order)),
        measures=tuple(sorted(measures, key=lambda item: item.outcome not in FOUND)),
        notes=tuple(notes),
    )


def _claims(first: Results, second: Results) -> Iterator[Pair]:
    for here, there in zip(judge(first), judge(second), strict=True):
        if not here.claim.superseded and (here.outcome, there.outcome) != ("not run", "not run"):
            yield Pair(first.experiment.name, here, there)


def _claim_order(pair: Pair) -> int:
    if pair.is_changed:
        return 0
    return 1 if pair.here.outcome != pair.there.outcome else 2


def _adjusted(items: Iterable[Compared]) -> Iterator[Compared]:
    """Yields the comparisons of one experiment, Holm-adjusted over those of the same profile."""
    every = list(items)
    for profile in dict.fromkeys(item.profile for item in every):
        own = [item for item in every if item.profile == profile]
        family = [item for item in own if item.difference.test and not item.difference.is_equal]
        adjusted = iter(stats.holm([item.difference.p for item in family]))
        for item in own:
            if item in family:
                smallest = item.difference.detectable(LEVEL / len(family))
                yield dataclasses.replace(item, adjusted=next(adjusted), detectable=smallest)
            else:
                yield item


# ---- settings of an experiment --------------------------------------------------------------------------------------


class _Settings:
    """The settings of one experiment that either side has runs of, by setting id: planned ones first."""

    def __init__(self, first: Results, second: Results):
        self.experiment = first.experiment
        planned = {
            self.experiment.family(variant, profile): (profile, variant)
            for profile in reversed(ranked(self.experiment))  # a setting of several profiles counts for the longest
            for variant in self.experiment.variants_of(profile)
        }
        self.here, self.there = (
            {
                name: runs
                for name, runs in results.by_setting.items()
                if name in planned or runs[0].experiment == self.experiment.name
            }
            for results in (first, second)
        )
        places = {name: place for place, name in enumerate(self.experiment.variants)}
        labels = {name: (runs[0].profile, runs[0].variant) for name, runs in {**self.there, **self.here}.items()}
        self.labels = {name: planned.get(name, label) for name, label in labels.items()}
        profiles = [*ranked(self.experiment), *self.experiment.profiles]
        self.common = sorted(
            self.here.keys() & self.there.keys(),
            key=lambda name: (
                profiles.index(self.labels[name][0]) if self.labels[name][0] in profiles else len(profiles),
                name not in planned,
                places.get(self.labels[name][1], len(places)),
                name,
            ),
        )

    def compare(self, name: str, chosen: Collection[str] | None) -> Iterator[Compared]:
        """Yields the comparison of each measure of one setting that both sides have."""
        here, there = self.here[name], self.there[name]
        setting, (profile, variant) = here[0].setting, self.labels[name]
        made = (self.experiment.name, profile, variant, name)
        for measure, use in setting.measures.items():
            if chosen is None or measure in chosen:
                scale = scale_of(use, setting.data)
                why = _obstacle(use, here, there)
                difference = Difference("", (len(here), len(there))) if why else _difference(measure, use, here, there)
                protocol = comparability.protocol_of(use, setting, here)
                sums = summarise(here, measure), summarise(there, measure)
                few = "" if why or difference.test or difference.is_equal else "too few runs"
                yield Compared(*made, measure, scale, protocol, *sums, difference, why or few)
        if any(record.status == "diverged" for record in (*here, *there)):
            first, second = (
                {one.seed: float(one.status == "diverged") for one in _run(some)} for some in (here, there)
            )
            difference = compare_samples(first, second, bounded=True)
            few = "" if difference.test or difference.is_equal else "too few runs"
            sums = _shares(here), _shares(there)
            yield Compared(*made, DIVERGED, SHARE, None, *sums, difference, few)

    def notes(self) -> Iterator[str]:
        """Yields what was not compared, and how the runs of the two sides were made if that differs."""
        for side, own, other in (("first", self.here, self.there), ("second", self.there, self.here)):
            alone = [name for name in own if name not in other]
            named = {self.labels[name]: name for name in alone}
            twins = {self.labels[name]: name for name in other if name not in own}
            for (profile, variant), name in named.items():
                if (profile, variant) not in twins:
                    continue
                if side == "first":
                    twin = twins[profile, variant]
                    changes = _changes(own[name][0], other[twin][0])
                    text = f"not compared, as the settings differ ({name}, {twin}): {changes}"
                    yield f"{self.experiment.name}, {variant} under {profile}: {text}."
            rest = [label for label in named if label not in twins]
            for profile in dict.fromkeys(profile for profile, _ in rest):
                variants = [variant for other_profile, variant in rest if other_profile == profile]
                yield f"{self.experiment.name}, {profile}: only the {side} has runs of {', '.join(variants)}."
        yield from self._made()

    def _made(self) -> Iterator[str]:
        sides = [_made_with(run for name in self.common for run in some[name]) for some in (self.here, self.there)]
        if sides[0] != sides[1]:
            yield f"{self.experiment.name}: made with {sides[0]} (first) and {sides[1]} (second)."
        for side, some in (("first", self.here), ("second", self.there)):
            mixed = [name for name in self.common if len({run.provenance.device for run in some[name]}) > 1]
            if mixed:
                yield f"{self.experiment.name}: the {side} mixes devices in {', '.join(mixed)}."


def _made_with(records: Iterable[Record]) -> str:
    """The devices, precisions and versions of torch of these runs."""
    made = [record.provenance for record in records]
    facts = (
        sorted({one.device for one in made}),
        sorted({one.precision for one in made}),
        sorted({f"torch {one.libraries['torch']}" for one in made if "torch" in one.libraries}),
    )
    return ", ".join(" / ".join(each) for each in facts if each)


def _changes(first: Record, second: Record) -> str:
    """The fields in which two settings differ, as ``batch_size 64 | 128``."""
    left, right = (_flat(record.setting.model_dump(mode="json")) for record in (first, second))
    differing = [path for path in {**left, **right} if left.get(path) != right.get(path)]
    shown = [f"{path} {short(left.get(path))} | {short(right.get(path))}" for path in differing[:MOST_CHANGES]]
    more = len(differing) - MOST_CHANGES
    if not differing:
        return "the same fields, by other protocols of their objects"
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {path: node}
    return {
        key: item for name, inner in node.items() for key, item in _flat(inner, f"{path}.{name}".strip(".")).items()
    }


# ---- runs of one setting --------------------------------------------------------------------------------------------


def _run(records: Sequence[Record]) -> list[Record]:
    """The runs with a value: all but those that failed."""
    return [record for record in records if record.status != "failed"]


def _obstacle(use: MeasureUse, here: Sequence[Record], there: Sequence[Record]) -> str:
    """Why a measure of two groups of runs cannot be compared; empty if it can."""
    finished = [[one for one in some if one.status == "finished"] for some in (here, there)]
    protocols, data, clocks = (
        [{value(one) for one in some} for some in finished]
        for value in (
            lambda one: one.score_protocol,
            lambda one: one.data_checksum,
            lambda one: (one.provenance.device, one.provenance.threads),
        )
    )
    is_scored = comparability.is_scored(use, here[0].setting)
    for what, found, applies in (
        ("scored by different protocols", protocols, is_scored),
        ("trained on different copies of the data", data, True),
        ("timed on different devices", clocks, is_timed(use)),
    ):
        if applies and len(found[0] | found[1]) > 1:
            return f"{what}: {' | '.join(_named(some) for some in found)}"
    return ""


def _named(values: Iterable[object]) -> str:
    return " and ".join(sorted(str(value)[:60] for value in values)) or "none"


def _difference(measure: str, use: MeasureUse, here: Sequence[Record], there: Sequence[Record]) -> Difference:
    bounded = scale_of(use, here[0].setting.data).bounded
    if is_timed(use):
        first, second = (_stacks(measure, _run(some)) for some in (here, there))
        return compare_samples(first, second, bounded=bounded, in_pairs=False)
    first, second = (
        {one.seed: value for one in _run(some) if not math.isnan(value := value_or_worst(one, measure))}
        for some in (here, there)
    )
    return compare_samples(first, second, bounded=bounded)


def _stacks(measure: str, records: Sequence[Record]) -> dict[int, float]:
    """The mean of a timed measure over each stack of runs that trained together and so share one clock."""
    stacks: dict[tuple[str, ...], list[float]] = {}
    for record in records:
        value = value_or_worst(record, measure)
        if not math.isnan(value):
            stacks.setdefault(tuple(sorted(record.cohort)), []).append(value)
    return dict(enumerate(map(statistics.fmean, stacks.values())))


def _diverged(records: Sequence[Record]) -> dict[int, float]:
    """1 for each run that diverged and 0 for the others, by seed."""
    return {record.seed: float(record.status == "diverged") for record in _run(records)}


def _shares(records: Sequence[Record]) -> Summary:
    n_diverged = sum(record.status == "diverged" for record in records)
    n_failed = sum(record.status == "failed" for record in records)
    n = len(records) - n_failed
    return Summary(
        n=n, n_runs=len(records), n_diverged=n_diverged, n_failed=n_failed, mean=n_diverged / n if n else None
    )
