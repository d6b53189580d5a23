"""The figures of a spec, and the records that each is drawn from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from wganbench.analysis.architectures import Sample, largest, samples_of
from wganbench.analysis.comparability import protocol_of
from wganbench.analysis.figures import grids, success
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.analysis.tables.cells import arrow
from wganbench.analysis.tables.published import headline
from wganbench.records.record import Artefact, Record
from wganbench.spec import Experiment, Figure, scale_of
from wganbench.spec.catalogue import CUSTOM, Scale
from wganbench.spec.claims import FigureKind
from wganbench.spec.experiment import PICTURED, SAMPLED, number_at


@dataclass(frozen=True)
class Drawing:
    """A figure of a spec and the records that it is drawn from.

    Attributes:
        file: The file name in ``figures/``.
        profile: The figure's own profile or, if that has nothing to draw, the longest one that has.
        used: The records of each variant, sorted by seed; empty if no profile has anything to draw.
    """

    experiment: Experiment
    figure: Figure
    file: str
    profile: str
    used: Mapping[str, Sequence[Record]]

    @property
    def animations(self) -> dict[str, str]:
        """The file name in ``figures/`` of each variant's row as an animation; only for kind ``grids``."""
        variants = self.used if self.figure.kind == "grids" else ()
        return {variant: f"{self.file.removesuffix('.png')}-{variant}.gif" for variant in variants}

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its files in ``figures/``."""
        return (self.file, *self.animations.values())


def drawings_of(experiment: Experiment, records: Mapping[str, Record]) -> list[Drawing]:
    """Returns the figures of a spec, each with the records that it can be drawn from, which may be none."""
    found, names, results = [], Counter[str](), Results(experiment, records)
    own = {_content(figure, figure.profile) for figure in experiment.figures}
    for figure in experiment.figures:
        profiles = [figure.profile, *ranked(experiment)]
        choices = [(profile, _drawable(results, figure, profile)) for profile in profiles]
        profile, used = next((choice for choice in choices if choice[1]), choices[0])
        if profile != figure.profile and _content(figure, profile) in own:
            continue  # another figure of the spec shows this already
        own.add(_content(figure, profile))
        stem = f"{experiment.name}-{figure.kind}-{profile}"
        names[stem] += 1
        file = f"{stem}-{names[stem]}.png" if names[stem] > 1 else f"{stem}.png"
        found.append(Drawing(experiment, figure, file, profile, used))
    return found


def figures_of(drawings: Iterable[Drawing]) -> dict[str, list[str]]:
    """The file names in ``figures/`` by experiment."""
    found: dict[str, list[str]] = {}
    for drawing in drawings:
        found.setdefault(drawing.experiment.name, []).extend(drawing.files)
    return found


def left_over(experiments: Iterable[str], drawings: Iterable[Drawing], folder: Path) -> list[Path]:
    """The experiments' figures in ``folder`` that no drawing makes, such as those of a profile since replaced."""
    made = {file for drawing in drawings for file in drawing.files}
    names, kinds = "|".join(map(re.escape, experiments)), "|".join(get_args(FigureKind))
    ours = re.compile(rf"({names})-({kinds})-.*\.(png|gif)")
    return sorted(path for path in folder.glob("*") if ours.fullmatch(path.name) and path.name not in made)


def _content(figure: Figure, profile: str) -> str:
    return figure.model_copy(update={"profile": profile, "title": None}).model_dump_json()


def _drawable(results: Results, figure: Figure, profile: str) -> dict[str, list[Record]]:
    experiment, by_family = results.experiment, dict[str, list[Record]]()
    for record in results.planned(profile):
        if _has_data(experiment, figure, record):
            by_family.setdefault(record.family, []).append(record)
    own = set(experiment.variants_of(profile))
    families = {
        variant: experiment.family(variant, profile) for variant in experiment.drawn_in(figure) if variant in own
    }
    used = {
        variant: sorted(by_family[name], key=lambda record: record.seed)
        for variant, name in families.items()
        if name in by_family
    }
    every = [record for some in used.values() for record in some]
    if figure.kind in SAMPLED and not _has_architectures(figure, samples_of(experiment, every, profile)):
        return {}
    return used if figure.kind != "points" or any(_finals(figure, record) for record in every) else {}


def _has_data(experiment: Experiment, figure: Figure, record: Record) -> bool:
    """Returns whether a run has anything to draw, as far as its record shows without its artefact."""
    if figure.kind == "curves":
        return bool(curves_of(experiment, figure, record))
    if figure.kind in SAMPLED:
        return True
    if figure.kind == "grids":
        return grids.strip(record) is not None
    if figure.kind == "points":  # a diverged run has no final value, and is counted in the legend
        return record.status != "failed" and number_at(record.setting, figure.x or "") is not None
    if figure.kind in PICTURED and (record.status == "failed" or figure.picture not in (record.setting.pictures or {})):
        return False
    return npz(record) is not None


def _has_architectures(figure: Figure, samples: Iterable[Sample]) -> bool:
    sample = largest(samples)
    return sample is not None and success.can_draw(figure.kind, sample)


def npz(record: Record) -> Artefact | None:
    """The artefact with the arrays that the run kept, if it kept any."""
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(".npz")), None)


def curves_of(experiment: Experiment, figure: Figure, record: Record) -> list[str]:
    """The figure's measures (the headline ones, if it names none) for which the record has a curve.

    A curve needs at least two steps; if it is drawn against another measure, both must have values at these steps.
    """
    wanted, curves = figure.measures or headline(experiment), record.curves
    steps = {name: set(curves[name].steps) if name in curves else set() for name in (*wanted, figure.against or "")}
    common = {name: steps[name] & steps[figure.against] if figure.against else steps[name] for name in wanted}
    return [name for name in wanted if len(common[name]) > 1]


def _finals(figure: Figure, record: Record) -> list[str]:
    """The figure's measures for which the record has a final value."""
    return [name for name in figure.measures if final_of(record, name) is not None]


def final_of(record: Record, measure: str) -> float | None:
    """The final value of a finished run; None for other runs."""
    return record.measures.get(measure) if record.status == "finished" else None


def title_of(drawing: Drawing) -> str:
    """The figure's own title, or else the experiment's."""
    return drawing.figure.title or drawing.experiment.title


def about(drawing: Drawing, *more: str) -> str:
    """The line under a figure's title: the runs that it shows, and ``more``."""
    says = drawing.experiment.says(drawing.profile)
    apart = "" if drawing.profile == "paper" else ", not the paper's protocol"
    runs = f"{drawing.experiment.name}, profile {drawing.profile}{apart}" + (f": {says}" if says else "")
    return "; ".join([runs, *filter(None, more)])


def title_and_unit(measure: str, drawing: Drawing) -> tuple[str, str]:
    """The title and unit of a measure's panel."""
    scale: Scale = CUSTOM
    protocols = dict[str, None]()
    for records in drawing.used.values():
        use = records[0].setting.measures.get(measure)
        if use:
            scale, protocol = scale_of(use), protocol_of(use, records[0].setting, records)
            protocols.update({protocol: None} if protocol else {})
    unit = f"{scale.unit} by {' or '.join(protocols)}" if protocols else scale.unit
    return measure + arrow(scale), unit


def n_diverged(records: Iterable[Record]) -> int:
    """The number of runs that diverged."""
    return sum(record.status == "diverged" for record in records)
