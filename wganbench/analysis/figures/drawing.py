"""A figure of a spec with the records that it is drawn from, and its captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wganbench.analysis.comparability import protocol_of
from wganbench.analysis.figures import style
from wganbench.analysis.tables.cells import arrow
from wganbench.records.record import Record
from wganbench.spec import Experiment, Figure, scale_of
from wganbench.spec.catalogue import CUSTOM, Scale
from wganbench.spec.figures import GridsFigure

F_co = TypeVar("F_co", bound=Figure, covariant=True)
Used = Mapping[str, Sequence[Record]]
"""The records of each variant, sorted by seed; variants without records are left out."""


@dataclass(frozen=True)
class Drawing(Generic[F_co]):
    """A figure of a spec and the records that it is drawn from.

    Attributes:
        profile: The figure's own profile or, if that has nothing to draw, the longest one that has.
        used: The records; empty if no profile has anything to draw.
    """

    experiment: Experiment
    figure: F_co
    profile: str
    used: Used

    @property
    def file(self) -> str:
        """The file name in the folder ``figures`` of the experiment."""
        return f"{self.figure.id}.png"

    @property
    def animations(self) -> dict[str, str]:
        """The file name of each variant's row as an animation; only for kind ``grids``."""
        variants = self.used if isinstance(self.figure, GridsFigure) else ()
        return {variant: f"{self.figure.id}.{variant}.gif" for variant in variants}

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its files."""
        return (self.file, *self.animations.values())

    @property
    def records(self) -> list[Record]:
        """The records of all variants."""
        return [record for records in self.used.values() for record in records]

    @property
    def title(self) -> str:
        """The figure's own title, or else the experiment's."""
        return self.figure.title or self.experiment.title

    def where(self, has_data: Callable[[Record], bool]) -> Used:
        """Returns the records for which ``has_data`` is true."""
        kept = {variant: [each for each in records if has_data(each)] for variant, records in self.used.items()}
        return {variant: records for variant, records in kept.items() if records}

    def position(self, variant: str) -> int:
        """Returns the position that decides a variant's look: its own in the spec, or one whose colour is free."""
        order = {name: position for position, name in enumerate(self.experiment.variants)}
        shown = self.figure.variants or self.experiment.variants_of(self.profile)
        return style.looks_apart(order[name] for name in {*shown, variant})[order[variant]]

    def about(self, *more: str) -> str:
        """Returns the line under the title: the runs that the figure shows, and ``more``."""
        says = self.experiment.says(self.profile)
        apart = "" if self.profile == "paper" else ", not the paper's protocol"
        runs = f"{self.experiment.name}, profile {self.profile}{apart}" + (f": {says}" if says else "")
        return "; ".join([runs, *filter(None, more)])

    def title_and_unit(self, measure: str) -> tuple[str, str]:
        """Returns the title and the unit of a measure's panel."""
        scale: Scale = CUSTOM
        protocols = dict[str, None]()
        for records in self.used.values():
            use = records[0].setting.measures.get(measure)
            if use:
                scale, protocol = scale_of(use), protocol_of(use, records[0].setting, records)
                protocols.update({protocol: None} if protocol else {})
        unit = f"{scale.unit} by {' or '.join(protocols)}" if protocols else scale.unit
        return measure + arrow(scale), unit


def n_diverged(records: Iterable[Record]) -> int:
    """Returns the number of runs that diverged."""
    return sum(record.status == "diverged" for record in records)


def ending(record: Record) -> str:
    """Returns how and when a run ended early; empty for a finished run."""
    return f"{record.status}\nat step {record.steps_done:,}" if record.status != "finished" else ""


def split_facts(facts: Mapping[str, Sequence[str]], joint: str) -> tuple[list[str], list[str]]:
    """Splits caption facts into those that all variants share and, for each variant, a label with the others.

    A label is the variant's name, ``joint`` and the other facts, separated by commas.
    """
    columns = list(zip(*facts.values(), strict=True))
    same = [len(set(column)) == 1 for column in columns]
    shared = [column[0] for column, alike in zip(columns, same, strict=True) if alike and column[0]]
    labels = []
    for name, some in facts.items():
        own = ", ".join(fact for fact, alike in zip(some, same, strict=True) if fact and not alike)
        labels.append(f"{name}{joint}{own}" if own else name)
    return [", ".join(shared)] if shared else [], labels
