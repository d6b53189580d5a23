"""From records and their artefacts to the numbers that a figure draws: which figures there are, and what of."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from wganbench.analysis import drawing_grids, drawing_success, plot, plot_grids, plot_pictures, plot_points
from wganbench.analysis.cells import number
from wganbench.analysis.plot import Array
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import headline, planned
from wganbench.analysis.sample import Sample, largest, samples_of
from wganbench.analysis.scored import protocol_of
from wganbench.errors import RecordError
from wganbench.names import STRANGER, Scale
from wganbench.record import Artefact, Curve, Record
from wganbench.spec import MAX_FLOAT, Experiment, Figure, scale_of, short_name
from wganbench.spec.experiment import PICTURED, SAMPLED, number_at
from wganbench.store import Store


@dataclass(frozen=True)
class Drawing:
    """A figure of a spec and the records that it is drawn from.

    Attributes:
        file: Its name in ``figures/``.
        profile: The figure's own, or where that has nothing to draw the longest that has.
        used: By variant, by seed; empty where no profile has anything.
    """

    experiment: Experiment
    figure: Figure
    file: str
    profile: str
    used: Mapping[str, Sequence[Record]]

    @property
    def animations(self) -> dict[str, str]:
        """Of kind ``grids``, by variant: the name in ``figures/`` of its row as an animation."""
        variants = self.used if self.figure.kind == "grids" else ()
        return {variant: f"{self.file.removesuffix('.png')}-{variant}.gif" for variant in variants}


def drawings_of(experiment: Experiment, records: Mapping[str, Record]) -> list[Drawing]:
    """The figures of a spec, each with the records that it can be drawn from, which may be none."""
    found, names = [], Counter[str]()
    own = {_content(figure, figure.profile) for figure in experiment.figures}
    for figure in experiment.figures:
        profiles = [figure.profile, *ranked(experiment)]
        choices = [(profile, _drawable(experiment, figure, records, profile)) for profile in profiles]
        profile, used = next((choice for choice in choices if choice[1]), choices[0])
        if profile != figure.profile and _content(figure, profile) in own:
            continue  # another figure of the spec shows this already
        own.add(_content(figure, profile))
        stem = f"{experiment.name}-{figure.kind}-{profile}"
        names[stem] += 1
        file = f"{stem}-{names[stem]}.png" if names[stem] > 1 else f"{stem}.png"
        found.append(Drawing(experiment, figure, file, profile, used))
    return found


def _content(figure: Figure, profile: str) -> str:
    return figure.model_copy(update={"profile": profile, "title": None}).model_dump_json()


def _drawable(
    experiment: Experiment, figure: Figure, records: Mapping[str, Record], profile: str
) -> dict[str, list[Record]]:
    by_family: dict[str, list[Record]] = {}
    for record in planned(experiment, records, profile):
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
    """Whether there is anything to draw of a run, as far as its record tells without its artefact."""
    if figure.kind == "curves":
        return bool(_curves_of(experiment, figure, record))
    if figure.kind in SAMPLED:
        return True
    if figure.kind == "grids":
        return drawing_grids.strip(record) is not None
    if figure.kind == "points":  # a diverged run has no final value, and is counted in the legend
        return record.status != "failed" and number_at(record.setting, figure.x or "") is not None
    if figure.kind in PICTURED and (record.status == "failed" or figure.picture not in (record.setting.pictures or {})):
        return False
    return _npz(record) is not None


def _has_architectures(figure: Figure, samples: Iterable[Sample]) -> bool:
    sample = largest(samples)
    return sample is not None and drawing_success.can_draw(figure.kind, sample)


def _npz(record: Record) -> Artefact | None:
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(".npz")), None)


def _curves_of(experiment: Experiment, figure: Figure, record: Record) -> list[str]:
    """The figure's measures (the headline ones, where it names none) of which the record has a curve.

    Where they are drawn against another measure, there must be two steps at least that have both.
    """
    wanted, curves = figure.measures or headline(experiment), record.curves
    steps = {name: set(curves[name].steps) if name in curves else set() for name in (*wanted, figure.against or "")}
    common = {name: steps[name] & steps[figure.against] if figure.against else steps[name] for name in wanted}
    return [name for name in wanted if len(common[name]) > 1]


def _finals(figure: Figure, record: Record) -> list[str]:
    """The figure's measures of which the record has a final value."""
    return [name for name in figure.measures if _final(record, name) is not None]


def _final(record: Record, measure: str) -> float | None:
    return record.measures.get(measure) if record.status == "finished" else None


def title_of(drawing: Drawing) -> str:
    """Its own, or else the experiment's."""
    return drawing.figure.title or drawing.experiment.title


def _about(drawing: Drawing, *more: str) -> str:
    """The line under a figure's title: which runs it shows, and ``more``."""
    says = drawing.experiment.says(drawing.profile)
    apart = "" if drawing.profile == "paper" else ", not the paper's protocol"
    runs = f"{drawing.experiment.name}, profile {drawing.profile}{apart}" + (f": {says}" if says else "")
    return "; ".join([runs, *filter(None, more)])


def draw(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """The figure, from the records' numbers or their artefacts.

    Raises:
        RecordError: If an artefact is missing or not what its record says.
    """
    return _KINDS[drawing.figure.kind](drawing, store)


def animate(drawing: Drawing, store: Store) -> dict[str, bytes]:
    """The content of ``drawing.animations`` by their names; raises as ``draw``."""
    rows = drawing_grids.rows_of(drawing.used, store) if drawing.animations else {}
    return {drawing.animations[variant]: plot_grids.animation(row) for variant, row in rows.items()}


# ---- what an artefact holds -----------------------------------------------------------------------------------------


MAX_UNPACKED = 2**27
"""Bytes: sixteen times the largest picture at sixteen moments."""


def _arrays(record: Record, store: Store, what: str) -> dict[str, NDArray[Any]]:
    """Everything in a run's npz, with NaN for numbers that are too large to be drawn.

    Raises:
        RecordError: If it is no archive, or without steps: "holds no ``what``".
    """
    artefact = _npz(record)
    assert artefact is not None  # drawings_of took records with one
    content = store.artefact(record, artefact)
    try:
        arrays = _unpacked(content)
    except Exception:  # numpy and zipfile raise anything at all on bytes that are not theirs
        arrays = {}
    steps = arrays.get("steps")
    if steps is None or steps.ndim != 1 or not len(steps) or steps.dtype.kind not in "iu":
        raise _unusable(record, store, f"holds no {what}", "")
    return arrays


def _unpacked(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in an npz, and those of anything else but Python objects."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(member.file_size for member in packed.infolist()) > MAX_UNPACKED:
            return {}
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    wide = {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.itemsize > 4}
    return arrays | {name: np.where(np.abs(array) <= MAX_FLOAT, array, np.nan) for name, array in wide.items()}


def _unusable(record: Record, store: Store, wrong: str, remedy: str) -> RecordError:
    artefact = _npz(record)
    assert artefact is not None
    path = store.path(record).parent / artefact.file
    return RecordError(f"{path}: {wrong}; {remedy}run {record.id} again")


# ---- clouds ---------------------------------------------------------------------------------------------------------

CLOUDS = "clouds (steps, fake and real)"


def _clouds(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    rows = [row for variant, records in drawing.used.items() for row in _cloud(variant, records, store)]
    if not rows:
        record = next(iter(drawing.used.values()))[0]
        raise _unusable(record, store, f"holds no {CLOUDS}, nor does that of any other seed or variant", "")
    window = drawing.figure.window
    key = f"dots: generated samples, blue: their density, orange: the data; window ±{number(window)}"
    return plot.clouds_figure(rows, title=title_of(drawing), about=_about(drawing, key), window=window)


def _cloud(variant: str, records: Iterable[Record], store: Store) -> list[plot.Cloud]:
    """The row of the first seed that kept its samples, if any did; one that keeps pictures need not have."""
    for record in records:
        arrays = _arrays(record, store, CLOUDS)
        fake, real = arrays.get("fake"), arrays.get("real")
        if fake is None and record.setting.pictures:
            continue
        if fake is None or real is None or not _are_planar(fake, real, arrays["steps"]):
            raise _unusable(record, store, f"holds no {CLOUDS}", "")
        gone = f"{record.status}\nat step {record.steps_done:,}" if record.status != "finished" else ""
        return [plot.Cloud(f"{variant}\nseed {record.seed}", arrays["steps"], fake, real, gone)]
    return []


def _are_planar(fake: NDArray[Any], real: NDArray[Any], steps: NDArray[Any]) -> bool:
    """Whether they are samples of two dimensions, ``(k, n, 2)`` and ``(n, 2)``, at ``k`` steps."""
    fit = fake.ndim == 3 and real.ndim == 2 and fake.shape[2] == real.shape[1] == 2 and len(fake) == len(steps)
    return fit and fake.size > 0 and _is_numeric(fake) and _is_numeric(real)


# ---- grids of images ------------------------------------------------------------------------------------------------


def _grids(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    rows = list(drawing_grids.rows_of(drawing.used, store).values())
    about = _about(drawing, "in each row the same latents at every step")
    return plot_grids.grids_figure(rows, title=title_of(drawing), about=about)


# ---- curves ---------------------------------------------------------------------------------------------------------


def _curves(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    return plot.curves_figure(_panels(drawing), title=title_of(drawing), about=_about(drawing))


def _panels(drawing: Drawing) -> list[plot.Panel]:
    """A panel for each measure that has a curve."""
    panels, positions = [], list(drawing.experiment.variants)
    every = [record for records in drawing.used.values() for record in records]
    measures = dict.fromkeys(
        name for record in every for name in _curves_of(drawing.experiment, drawing.figure, record)
    )
    against = drawing.figure.against
    x = _axis(against, drawing) if against else None
    for measure in measures:
        found = [
            _line(variant, positions.index(variant), measure, records, against)
            for variant, records in drawing.used.items()
        ]
        lines = tuple(line for line in found if line)
        if lines:
            panels.append(plot.Panel(*_named(measure, drawing), lines, x))
    return panels


def _axis(measure: str, drawing: Drawing) -> str:
    """What the x axis is called where a measure is drawn against another."""
    title, unit = _named(measure, drawing)
    name = title.partition(" ")[0]
    return f"{name} ({unit})" if unit else name


def _named(measure: str, drawing: Drawing) -> tuple[str, str]:
    """Title and unit of a measure's panel."""
    scale: Scale = STRANGER
    protocols = dict[str, None]()
    for records in drawing.used.values():
        use = records[0].setting.measures.get(measure)
        if use:
            scale, protocol = scale_of(use), protocol_of(use, records[0].setting, records)
            protocols.update({protocol: None} if protocol else {})
    unit = f"{scale.unit} by {' or '.join(protocols)}" if protocols else scale.unit
    return measure + {True: " ↑", False: " ↓", None: ""}[scale.higher_is_better], unit


def _line(
    variant: str, position: int, measure: str, records: Sequence[Record], against: str | None = None
) -> plot.Line | None:
    """Over steps; or ``against`` a measure, by its mean over the seeds that have both at a step."""
    wanted = {measure, against or measure}
    known = [record for record in records if wanted <= record.curves.keys()]
    curves = [record.curves[measure] for record in known]
    steps = sorted({step for curve in curves for step in curve.steps})
    if not steps:
        return None
    values = _at(steps, curves)
    x: NDArray[np.integer] | Array = np.array(steps)
    if against is not None:
        places = _at(steps, [record.curves[against] for record in known])
        both = ~np.isnan(values) & ~np.isnan(places)
        kept = both.any(axis=0)
        values, places = (np.where(both, array, np.nan)[:, kept] for array in (values, places))
        x = np.nanmean(places, axis=0)
    return plot.Line(variant, position, x, values, _n_diverged(records))


def _at(steps: Sequence[int], curves: Sequence[Curve]) -> Array:
    """The values of each curve at ``steps``, ``(curves, steps)``; NaN where it has none."""
    place = {step: index for index, step in enumerate(steps)}
    values = np.full((len(curves), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        known = [(place[step], value) for step, value in zip(curve.steps, curve.values, strict=True) if step in place]
        for index, value in known:
            row[index] = np.nan if value is None else value
    return values


def _n_diverged(records: Iterable[Record]) -> int:
    return sum(record.status == "diverged" for record in records)


# ---- pictures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """What a run kept at its last moment.

    Attributes:
        picture: The figure's, float64.
        fake, real: Samples ``(n, 2)``; None where they are not kept, or not of two dimensions.
    """

    record: Record
    step: int
    picture: Array
    fake: NDArray[np.floating] | None
    real: NDArray[np.floating] | None


SHAPES: dict[str, tuple[str, Callable[[tuple[int, ...]], bool]]] = {
    "layers": ("(layers,)", lambda shape: len(shape) == 1),
    "histograms": ("(bins, 3)", lambda shape: len(shape) == 2 and shape[1] == 3),
    "surfaces": ("(grid, grid)", lambda shape: len(shape) == 2 and shape[0] == shape[1] > 1),
}
"""Of the picture that a kind draws: in words, and as a test."""


def _kept(record: Record, store: Store, figure: Figure) -> Kept:
    """The last of the figure's pictures of one run.

    Raises:
        RecordError: If its npz has none, or one of another shape.
    """
    arrays = _arrays(record, store, f"picture {figure.picture!r}")
    pictures, steps = arrays.get(f"picture.{figure.picture}"), arrays["steps"]
    if pictures is None:
        held = ", ".join(map(short_name, arrays))
        raise _unusable(record, store, f"holds no picture {figure.picture!r} (it has {held})", "")
    words, fits = SHAPES[figure.kind]
    if not fits(pictures.shape[1:]) or 0 in pictures.shape or len(pictures) != len(steps) or not _is_numeric(pictures):
        wrong = f"picture {figure.picture!r} is {pictures.dtype} of shape {pictures.shape} at {len(steps)} steps, "
        wrong += f"and a figure of kind {figure.kind!r} draws numbers of shape {words} at each"
        raise _unusable(record, store, wrong, "name another picture in the figure, or ")
    fake, real = arrays.get("fake"), arrays.get("real")
    planar = fake is not None and real is not None and _are_planar(fake, real, steps)
    return Kept(
        record,
        int(steps[-1]),
        pictures[-1].astype(np.float64),
        fake[-1] if fake is not None and planar else None,
        real if planar else None,
    )


def _is_numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iuf"


def _layers(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    lines, steps, positions = [], set(), list(drawing.experiment.variants)
    for variant, records in drawing.used.items():
        kept = [_kept(record, store, drawing.figure) for record in records]
        for one in kept:
            if one.picture.shape != kept[0].picture.shape:
                layers = f"{len(one.picture)} layers and that of seed {records[0].seed} {len(kept[0].picture)}"
                raise _unusable(one.record, store, f"picture {drawing.figure.picture!r} has {layers}", "")
        steps |= {one.step for one in kept}
        values = np.stack([one.picture for one in kept])
        lines.append(plot_pictures.Norms(variant, positions.index(variant), values, _n_diverged(records)))
    low, high = min(steps), max(steps)
    when = f"at step {high:,}" if low == high else f"at the last step that was kept, {low:,} to {high:,}"
    return plot_pictures.layers_figure(lines, title=title_of(drawing), about=_about(drawing, when))


def _histograms(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    figure, positions = drawing.figure, list(drawing.experiment.variants)
    found = {variant: _kept(records[0], store, figure) for variant, records in drawing.used.items()}
    shared, labels = told_apart({variant: _facts(kept) for variant, kept in found.items()}, ", ")
    panels = [
        plot_pictures.Histogram(label, positions.index(variant), kept.picture)
        for label, (variant, kept) in zip(labels, found.items(), strict=True)
    ]
    quantity = (figure.picture or "").removesuffix("_histogram").replace("_", " ")
    about = _about(drawing, *shared, "each panel has its own range")
    return plot_pictures.histograms_figure(panels, title=title_of(drawing), about=about, quantity=quantity)


def _surfaces(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    figure = drawing.figure
    found = {variant: _sampled(records, store, figure) for variant, records in drawing.used.items()}
    windows = {variant: _window(kept.record, figure) for variant, kept in found.items()}
    facts = {variant: (*_facts(kept), f"window ±{number(windows[variant])}") for variant, kept in found.items()}
    shared, labels = told_apart(facts, "\n")
    cells = [
        plot_pictures.Surface(label, kept.picture, windows[variant], kept.real, kept.fake)
        for label, (variant, kept) in zip(labels, found.items(), strict=True)
    ]
    key = f"lines: {plot_pictures.N_LEVELS} level sets of the critic, each cell's own, darker is higher"
    if any(kept.real is not None for kept in found.values()):
        key += "; orange: the data, green: generated samples"
    about = _about(drawing, *shared, key)
    return plot_pictures.surfaces_figure(cells, columns=figure.columns, title=title_of(drawing), about=about)


def _sampled(records: Sequence[Record], store: Store, figure: Figure) -> Kept:
    """The first seed that kept its samples; the first, where none did."""
    kept = [_kept(records[0], store, figure)]
    for record in records[1:]:
        if kept[-1].fake is not None:
            break
        kept.append(_kept(record, store, figure))
    return next((one for one in kept if one.fake is not None), kept[0])


def _window(record: Record, figure: Figure) -> float:
    """Half the width of a surface's square; the figure's own, where the picture is a stranger's without one."""
    component = (record.setting.pictures or {})[figure.picture or ""]
    window = component.options.get("window")
    return float(window) if isinstance(window, int | float) and window > 0 else figure.window


def _facts(kept: Kept) -> tuple[str, ...]:
    """Which run it is, and when."""
    status = "" if kept.record.status == "finished" else kept.record.status
    return f"seed {kept.record.seed}", f"step {kept.step:,}", status


def told_apart(facts: Mapping[str, Sequence[str]], joint: str) -> tuple[list[str], list[str]]:
    """What is the same of all, told once, and for each its name with what is not: after ``joint``, with commas."""
    columns = list(zip(*facts.values(), strict=True))
    same = [len(set(column)) == 1 for column in columns]
    shared = [column[0] for column, alike in zip(columns, same, strict=True) if alike and column[0]]
    own = {
        name: ", ".join(fact for fact, alike in zip(some, same, strict=True) if fact and not alike)
        for name, some in facts.items()
    }
    labels = [f"{name}{joint}{text}" if text else name for name, text in own.items()]
    return [", ".join(shared)] if shared else [], labels


# ---- points ---------------------------------------------------------------------------------------------------------


def _points(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    figure = drawing.figure
    groups = figure.groups or {"": list(drawing.used)}
    planes = []
    for measure, law in zip(figure.measures, figure.laws or [""] * len(figure.measures), strict=True):
        found = [_dots(name, place, _finals_of(drawing, groups[name], measure)) for place, name in enumerate(groups)]
        dots = tuple(some for some in found if some is not None)
        if dots:
            planes.append(plot_points.Plane(*_named(measure, drawing), dots, _laws(drawing, groups, law)))
    x = figure.x_label or figure.x or ""
    return plot_points.points_figure(planes, x=x, title=title_of(drawing), about=_about(drawing))


Finals = list[tuple[float, list[float]]]
"""Of each variant: its x, and the final value of each run, NaN where there is none."""


def _finals_of(drawing: Drawing, variants: Iterable[str], measure: str) -> Finals:
    """Of the variants that have runs with ``measure``, by x."""
    found: Finals = []
    for variant in variants:
        records = [record for record in drawing.used.get(variant, ()) if measure in record.setting.measures]
        x = number_at(records[0].setting, drawing.figure.x or "") if records else None
        if x is not None:
            values = [_final(record, measure) for record in records]
            found.append((x, [np.nan if value is None else value for value in values]))
    return sorted(found, key=lambda item: item[0])


def _dots(name: str, position: int, finals: Finals) -> plot_points.Dots | None:
    """A group; None where none of its runs has a value."""
    if not any(np.isfinite(values).any() for _, values in finals):
        return None
    values = tuple(np.array(some) for _, some in finals)
    return plot_points.Dots(name, position, np.array([x for x, _ in finals]), values)


def _laws(drawing: Drawing, groups: Mapping[str, Sequence[str]], law: str) -> tuple[plot_points.Law, ...]:
    """One line of all groups, where these agree; else one each."""
    means = {
        name: {
            x: float(np.nanmean(values)) for x, values in _finals_of(drawing, members, law) if np.isfinite(values).any()
        }
        for name, members in groups.items()
    }
    together: dict[float, float] = {}
    for some in means.values():
        together |= some
    agree = all(np.isclose(y, together[x], rtol=1e-3, atol=0) for some in means.values() for x, y in some.items())
    if agree:
        return (_law(law, together, None),) if together else ()
    return tuple(
        _law(f"{law} of {name}", some, position) for position, (name, some) in enumerate(means.items()) if some
    )


def _law(label: str, means: Mapping[float, float], position: int | None) -> plot_points.Law:
    x = sorted(means)
    return plot_points.Law(label, np.array(x), np.array([means[at] for at in x]), position)


# ---- random architectures -------------------------------------------------------------------------------------------


def _success(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    return drawing_success.success_figure(_sample(drawing), partial(_about, drawing), title_of(drawing))


def _factors(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    return drawing_success.factors_figure(_sample(drawing), partial(_about, drawing), title_of(drawing))


def _sample(drawing: Drawing) -> Sample:
    records = [record for some in drawing.used.values() for record in some]
    sample = largest(samples_of(drawing.experiment, records, drawing.profile))
    assert sample is not None  # or nothing could be drawn
    return sample


_KINDS: dict[str, Callable[[Drawing, Store], matplotlib.figure.Figure]] = {
    "clouds": _clouds,
    "grids": _grids,
    "curves": _curves,
    "layers": _layers,
    "histograms": _histograms,
    "surfaces": _surfaces,
    "points": _points,
    "success": _success,
    "factors": _factors,
}
