"""Random architectures as a sample: each with its score under both methods of its spec's success table.

Each architecture counts once: its score with a method is the mean over the seeds that it has with both methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.comparability import basis_of, data_of
from wganbench.analysis.results import value_or_worst
from wganbench.measures.scores.protocol import UNCALIBRATED
from wganbench.records.record import Record
from wganbench.spec import Experiment, Setting, SuccessTable


@dataclass(frozen=True)
class Trained:
    """An architecture with runs of both methods.

    Attributes:
        scores: The mean score over ``n_seeds`` seeds with each method.
        settings: The setting with each method.
    """

    name: str
    scores: tuple[float, float]
    settings: tuple[Setting, Setting]
    n_seeds: int


@dataclass(frozen=True)
class Sample:
    """Architectures with comparable scores: scored by one protocol and trained on one copy of the data.

    Attributes:
        architectures: The architectures with runs of both methods, none of which failed, in the order of the sampled
            list.
        n_failed: The number of architectures left out because one of their runs failed.
        n_waiting: The number of architectures left out because no seed has runs of both methods yet.
        records: All records behind the sample, including those of ``n_failed`` and ``n_waiting``.
        protocol, checksum: The score protocol and the checksum of the data; empty if the records name none.
        is_one_of: The number of samples that the records are divided into.
    """

    experiment: str
    profile: str
    table: SuccessTable
    architectures: tuple[Trained, ...]
    n_failed: int
    n_waiting: int
    records: tuple[Record, ...]
    protocol: str
    checksum: str
    is_one_of: int

    @property
    def n(self) -> int:
        return len(self.architectures)

    @property
    def scores(self) -> stats.Array:
        """The scores, shape ``(architectures, 2)``, with one column per method."""
        return np.array([each.scores for each in self.architectures], dtype=np.float64).reshape(-1, 2)

    @property
    def real(self) -> float | None:
        """The score of the real data, averaged over runs, which differ by rounding at most; None if no run has it."""
        known = [record.measures.get(self.table.real) for record in self.records]
        finite = [value for value in known if value is not None]
        return float(np.mean(finite)) if finite else None

    @property
    def has_own_thresholds(self) -> bool:
        """True if the runs are scored by the network that the table's thresholds refer to."""
        scores = {each.setting.score.name if each.setting.score else "" for each in self.records}
        return scores == {self.table.score}

    @property
    def thresholds(self) -> list[float]:
        """The thresholds of the table or, for another score, as many equally spaced from 1 to the real data's score.

        There are none if the real data's score is unknown or at most 1.
        """
        if self.has_own_thresholds:
            return list(self.table.thresholds)
        real = self.real
        if real is None or real <= 1:
            return []
        return [float(step) for step in np.linspace(1.0, real, len(self.table.thresholds))]

    @property
    def overrides(self) -> list[str]:
        """The ``--set`` texts of its records, without duplicates."""
        return list(dict.fromkeys(text for record in self.records for text in record.overrides))

    @property
    def is_the_papers(self) -> bool:
        """True if data, score and steps are the same as for the published counts."""
        own = self.profile == "paper" and self.has_own_thresholds and not self.overrides
        return own and not self.protocol.endswith(UNCALIBRATED)

    @property
    def unlike_the_paper(self) -> str:
        """A description of data, score and steps, for samples that must not be compared with the published counts."""
        data = sorted({data_of(record) for record in self.records})
        steps = sorted({f"{record.setting.steps:,}" for record in self.records})
        protocol = self.protocol or "a score of no named protocol"
        return f"direction only: {' and '.join(data)}, {protocol}, {' or '.join(steps)} steps, not the paper's"


def samples_of(experiment: Experiment, records: Iterable[Record], profile: str) -> list[Sample]:
    """Returns the random architectures of the spec's success table, one sample per score protocol and copy of the data.

    Args:
        records: Records of runs under ``profile``, in any order; those of other variants are ignored.

    Returns:
        The samples that have records; none if the spec has no success table, or the profile lacks one of the methods.
    """
    about = experiment.success_table
    if about is None:
        return []
    chosen = experiment.architectures_of(profile, about.methods)
    own = {variant for variants in chosen.values() for variant in variants}
    pools = _pools([record for record in records if record.variant in own])
    return [
        Sample(
            *(experiment.name, profile, about),
            *_trained(pool, chosen, about.measure),
            records=tuple(pool),
            protocol=protocol,
            checksum=checksum,
            is_one_of=len(pools),
        )
        for (protocol, checksum), pool in pools.items()
    ]


def largest(samples: Iterable[Sample]) -> Sample | None:
    """The sample with the most architectures, the first if several have as many; None if no sample has any."""
    return max((sample for sample in samples if sample.n), key=lambda sample: sample.n, default=None)


def _pools(used: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """Groups records by score protocol and data checksum; a run that ended before it had them is in every group."""
    known = {basis_of(record) for record in used if record.status == "finished"}
    known |= {basis_of(record) for record in used if record.status == "diverged" and record.score_protocol}
    if not known:
        return {("", ""): list(used)} if used else {}
    return {
        key: [record for record in used if basis_of(record) == key or basis_of(record) not in known]
        for key in sorted(known)
    }


def _trained(
    pool: Sequence[Record], chosen: Mapping[str, tuple[str, ...]], measure: str
) -> tuple[tuple[Trained, ...], int, int]:
    """The architectures with runs of both methods, and the numbers of those that failed and that are waiting."""
    by_variant: dict[str, dict[int, Record]] = {}
    for record in pool:
        by_variant.setdefault(record.variant, {})[record.seed] = record
    trained, n_failed, n_waiting = [], 0, 0
    for name, variants in chosen.items():
        first, second = (by_variant.get(variant, {}) for variant in variants)
        seeds = sorted(first.keys() & second.keys())
        if any(record.status == "failed" for record in (*first.values(), *second.values())):
            n_failed += 1
        elif seeds:
            scores = _mean(first, seeds, measure), _mean(second, seeds, measure)
            trained.append(Trained(name, scores, (first[seeds[0]].setting, second[seeds[0]].setting), len(seeds)))
        elif first or second:
            n_waiting += 1
    return tuple(trained), n_failed, n_waiting


def _mean(records: Mapping[int, Record], seeds: Sequence[int], measure: str) -> float:
    return float(np.mean([value_or_worst(records[seed], measure) for seed in seeds]))
