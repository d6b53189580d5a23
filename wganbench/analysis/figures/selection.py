"""The kinds of figures, and the figures of a spec that its records allow to draw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import matplotlib.figure

from wganbench.analysis.figures import (
    clouds,
    curves,
    factors,
    grids,
    histograms,
    layers,
    lines,
    phases,
    points,
    style,
    success,
    surfaces,
)
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment, Figure


class Kind(Protocol):
    """What the module of a kind of figures has."""

    def select(self, drawing: Drawing[Any]) -> Used:
        """Returns the records of ``drawing``, which are all of a profile, that the figure can show.

        It opens no artefacts. It returns no records at all if they are too few for a figure.
        """

    def draw(self, drawing: Drawing[Any], store: Store) -> matplotlib.figure.Figure:
        """Draws the figure from the numbers or artefacts of the selected records.

        Raises:
            RecordError: If an artefact is missing or not what its record says.
        """


KINDS: dict[str, Kind] = {
    "clouds": clouds,
    "curves": curves,
    "layers": layers,
    "histograms": histograms,
    "surfaces": surfaces,
    "lines": lines,
    "points": points,
    "grids": grids,
    "phases": phases,
    "success": success,
    "factors": factors,
}


def draw(drawing: Drawing[Any], store: Store) -> matplotlib.figure.Figure:
    """Draws the figure as its kind does; raises the same errors."""
    with style.theme():
        return KINDS[drawing.figure.kind].draw(drawing, store)


def animate(drawing: Drawing[Any], store: Store) -> dict[str, bytes]:
    """Returns the content of ``drawing.animations`` by file name; raises the same errors as ``draw``."""
    rows = grids.rows_of(drawing.used, store) if drawing.animations else {}
    return {drawing.animations[variant]: grids.animation(row) for variant, row in rows.items()}


def drawings_of(experiment: Experiment, records: Mapping[str, Record]) -> list[Drawing[Any]]:
    """Returns the figures of a spec, each with the records that it can be drawn from, which may be none."""
    found, names, results = [], Counter[str](), Results(experiment, records)
    own = {_content(figure, figure.profile) for figure in experiment.figures}
    for figure in experiment.figures:
        choices = [_drawing(results, figure, name) for name in (figure.profile, *ranked(experiment))]
        drawing = next((choice for choice in choices if choice.used), choices[0])
        if drawing.profile != figure.profile and _content(figure, drawing.profile) in own:
            continue  # another figure of the spec shows this already
        own.add(_content(figure, drawing.profile))
        names[drawing.file] += 1
        number = f"-{names[drawing.file]}" if names[drawing.file] > 1 else ""
        found.append(replace(drawing, file=f"{drawing.file}{number}.png"))
    return found


def _content(figure: Figure, profile: str) -> str:
    return figure.model_copy(update={"profile": profile, "title": None}).model_dump_json()


def _drawing(results: Results, figure: Figure, profile: str) -> Drawing[Any]:
    """Returns the figure as drawn from the records of a profile; its file has no suffix yet."""
    experiment, own = results.experiment, set(results.experiment.variants_of(profile))
    recorded = {name: results.of(name, profile) for name in experiment.drawn_in(figure) if name in own}
    used = {variant: records for variant, records in recorded.items() if records}
    drawing = Drawing(experiment, figure, f"{experiment.name}-{figure.kind}-{profile}", profile, used)
    return replace(drawing, used=KINDS[figure.kind].select(drawing))


def figures_of(drawings: Iterable[Drawing[Any]]) -> dict[str, list[str]]:
    """Returns the file names in ``figures/`` by experiment."""
    found: dict[str, list[str]] = {}
    for drawing in drawings:
        found.setdefault(drawing.experiment.name, []).extend(drawing.files)
    return found


def left_over(experiments: Iterable[str], drawings: Iterable[Drawing[Any]], folder: Path) -> list[Path]:
    """Returns the experiments' figures in ``folder`` that no drawing makes, as those of a profile since replaced."""
    made = {file for drawing in drawings for file in drawing.files}
    names, kinds = "|".join(map(re.escape, experiments)), "|".join(KINDS)
    ours = re.compile(rf"({names})-({kinds})-.*\.(png|gif)")
    return sorted(path for path in folder.glob("*") if ours.fullmatch(path.name) and path.name not in made)
