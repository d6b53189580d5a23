"""A judgement as a whole: the candidates of a submission beside the methods that they replace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wganbench.analysis.judged import pairs
from wganbench.analysis.judged.pairs import Compared, Settled
from wganbench.analysis.tables.table import Table
from wganbench.records.record import Record
from wganbench.records.submission import Submission
from wganbench.spec import load

FIGURES = "figures"
"""The folder of the figures in that of a submission."""
OVERVIEW = f"{FIGURES}/differences.png"
"""The figure of all differences."""


@dataclass(frozen=True)
class Strips:
    """The lines of a candidate in an experiment that have runs, which one figure shows."""

    candidate: str
    experiment: str
    lines: tuple[Settled, ...]

    @property
    def file(self) -> str:
        """Returns the path of the figure in the folder."""
        return f"{FIGURES}/{self.candidate}-{self.experiment}.png"


@dataclass(frozen=True)
class Judgement:
    """What the records of a submission settle, beside those of the reference.

    Attributes:
        submission: The manifest.
        own: The records of the submission.
        settled: The lines of each candidate, in the order of the experiments.
    """

    submission: Submission
    own: Sequence[Record]
    settled: Mapping[str, tuple[Settled, ...]]

    @property
    def lost(self) -> list[Record]:
        """Returns the runs of the submission that failed or diverged."""
        return [record for record in self.own if record.status != "finished"]

    @property
    def tables(self) -> list[Table]:
        """Returns the table of each candidate."""
        return [pairs.table(name, some) for name, some in self.settled.items()]

    def runs_of_reference(self) -> set[str]:
        """Returns the ids of the runs with which the candidates are compared."""
        return {other for some in self.settled.values() for each in some for _, other in each.pairs.runs}

    @property
    def strips(self) -> list[Strips]:
        """Returns what the figures of single experiments show."""
        found: dict[tuple[str, str], list[Settled]] = {}
        for candidate, some in self.settled.items():
            for each in some:
                if each.pairs.runs:
                    found.setdefault((candidate, each.pairs.experiment), []).append(each)
        return [Strips(*names, tuple(lines)) for names, lines in found.items()]

    @property
    def figures(self) -> list[str]:
        """Returns the path in the folder of each figure that can be drawn."""
        found = [each.file for each in self.strips]
        return [OVERVIEW, *found] if found else []


def judgement_of(folder: Path, submission: Submission, own: Sequence[Record], reference: Iterable[Record]) -> Judgement:
    """Judges the candidates of a submission.

    Args:
        folder: The folder, which has the specs.
        submission: The manifest.
        own: The records of the submission.
        reference: The committed records. A run that both have counts as it is in the submission.

    Raises:
        SpecError: If an experiment of the manifest does not ship, or a spec of the folder is wrong.
    """
    every = {record.id: record for record in (*reference, *own)}.values()
    specs = [Compared(load(name), load(folder / f"{name}.toml")) for name in submission.experiments]
    settled = {}
    for method in submission.methods:
        found = [pairs.pairs_of(method.name, each, submission.budget, own, every) for each in specs]
        settled[method.name] = tuple(pairs.judge([one for some in found for one in some]))
    return Judgement(submission, own, settled)
