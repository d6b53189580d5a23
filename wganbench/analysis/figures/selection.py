"""The kinds of figures, and the figures of a spec that its records allow to draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from wganbench.analysis.figures import (
    classes,
    clouds,
    curves,
    factors,
    grids,
    histograms,
    layers,
    lines,
    phases,
    points,
    sheet,
    slices,
    style,
    success,
    surfaces,
)
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.records.store import Store
from wganbench.spec import Figure

if TYPE_CHECKING:
    import matplotlib.figure


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
    "slices": slices,
    "classes": classes,
    "lines": lines,
    "points": points,
    "grids": grids,
    "sheet": sheet,
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


def drawings_of(results: Results) -> list[Drawing[Any]]:
    """Returns the figures of a spec, each with the records that it can be drawn from, which may be none."""
    experiment, found = results.experiment, []
    own = {_content(figure, figure.profile) for figure in experiment.figures}
    for figure in experiment.figures:
        choices = [_drawing(results, figure, name) for name in (figure.profile, *ranked(experiment))]
        drawing = next((choice for choice in choices if choice.used), choices[0])
        if drawing.profile != figure.profile and _content(figure, drawing.profile) in own:
            continue  # another figure of the spec shows this already
        own.add(_content(figure, drawing.profile))
        found.append(drawing)
    return found


def _content(figure: Figure, profile: str) -> str:
    return figure.model_copy(update={"id": "", "profile": profile, "title": None}).model_dump_json()


def _drawing(results: Results, figure: Figure, profile: str) -> Drawing[Any]:
    """Returns the figure as drawn from the records of a profile."""
    experiment, own = results.experiment, set(results.experiment.variants_of(profile))
    recorded = {name: results.of(name, profile) for name in experiment.drawn_in(figure) if name in own}
    drawing = Drawing(experiment, figure, profile, {variant: some for variant, some in recorded.items() if some})
    return replace(drawing, used=KINDS[figure.kind].select(drawing))


def figures_of(drawings: Iterable[Drawing[Any]]) -> dict[str, list[str]]:
    """Returns the names of the figures' files by experiment."""
    found: dict[str, list[str]] = {}
    for drawing in drawings:
        found.setdefault(drawing.experiment.name, []).extend(drawing.files)
    return found
