"""Reads the arrays that a run kept for figures in its npz file, and checks them before they are drawn."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures.drawing import npz
from wganbench.analysis.figures.plot import Array
from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import MAX_FLOAT, Figure, short_name

MAX_UNPACKED = 2**27
"""The most bytes of an unpacked file: sixteen times the largest picture at sixteen steps."""


def arrays_of(record: Record, store: Store, what: str) -> dict[str, NDArray[Any]]:
    """Returns all arrays in a run's npz, with NaN for numbers that are too large to be drawn.

    Raises:
        RecordError: If it is not an archive, or has no steps; the message is "holds no ``what``".
    """
    artefact = npz(record)
    assert artefact is not None  # drawings_of selects only records that have one
    content = store.artefact(record, artefact)
    try:
        arrays = _unpacked(content)
    except Exception:  # numpy and zipfile may raise any exception for bytes that are not an archive
        arrays = {}
    steps = arrays.get("steps")
    if steps is None or steps.ndim != 1 or not len(steps) or steps.dtype.kind not in "iu":
        raise unusable(record, store, f"holds no {what}")
    return arrays


def _unpacked(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in an npz, of any type but Python objects; none if they are larger than ``MAX_UNPACKED``."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(member.file_size for member in packed.infolist()) > MAX_UNPACKED:
            return {}
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    wide = {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.itemsize > 4}
    return arrays | {name: np.where(np.abs(array) <= MAX_FLOAT, array, np.nan) for name, array in wide.items()}


def unusable(record: Record, store: Store, wrong: str, remedy: str = "") -> RecordError:
    """The error that the npz of ``record`` lacks what a figure needs; ``remedy`` is an alternative to a new run."""
    artefact = npz(record)
    assert artefact is not None
    path = store.path(record).parent / artefact.file
    return RecordError(f"{path}: {wrong}; {remedy}run {record.id} again")


def are_planar(fake: NDArray[Any], real: NDArray[Any], steps: NDArray[Any]) -> bool:
    """Returns whether the arrays are two-dimensional samples, ``(k, n, 2)`` and ``(n, 2)``, at ``k`` steps."""
    fit = fake.ndim == 3 and real.ndim == 2 and fake.shape[2] == real.shape[1] == 2 and len(fake) == len(steps)
    return fit and fake.size > 0 and _is_numeric(fake) and _is_numeric(real)


@dataclass(frozen=True)
class Kept:
    """The arrays that a run kept at the last of its steps with pictures.

    Attributes:
        picture: The figure's picture, in float64.
        fake, real: The samples, ``(n, 2)``; None if they were not kept, or are not two-dimensional.
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
"""The shape of the picture that each kind draws, in words and as a test."""


def kept_of(record: Record, store: Store, figure: Figure) -> Kept:
    """Reads the last picture of one run for a figure.

    Raises:
        RecordError: If the run's npz has no such picture, or it has another shape.
    """
    arrays = arrays_of(record, store, f"picture {figure.picture!r}")
    pictures, steps = arrays.get(f"picture.{figure.picture}"), arrays["steps"]
    if pictures is None:
        held = ", ".join(map(short_name, arrays))
        raise unusable(record, store, f"holds no picture {figure.picture!r} (it has {held})")
    words, fits = SHAPES[figure.kind]
    if not fits(pictures.shape[1:]) or 0 in pictures.shape or len(pictures) != len(steps) or not _is_numeric(pictures):
        wrong = f"picture {figure.picture!r} is {pictures.dtype} of shape {pictures.shape} at {len(steps)} steps, "
        wrong += f"and a figure of kind {figure.kind!r} draws numbers of shape {words} at each"
        raise unusable(record, store, wrong, "name another picture in the figure, or ")
    fake, real = arrays.get("fake"), arrays.get("real")
    planar = fake is not None and real is not None and are_planar(fake, real, steps)
    return Kept(
        record,
        int(steps[-1]),
        pictures[-1].astype(np.float64),
        fake[-1] if fake is not None and planar else None,
        real if planar else None,
    )


def _is_numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iuf"


def sampled(records: Sequence[Record], store: Store, figure: Figure) -> Kept:
    """Reads the first seed that kept its samples, or else the first seed."""
    kept = [kept_of(records[0], store, figure)]
    for record in records[1:]:
        if kept[-1].fake is not None:
            break
        kept.append(kept_of(record, store, figure))
    return next((one for one in kept if one.fake is not None), kept[0])


def window_of(record: Record, figure: Figure) -> float:
    """Half the width of a surface's square; the figure's own if the picture is custom and has no such option."""
    component = (record.setting.pictures or {})[figure.picture or ""]
    window = component.options.get("window")
    return float(window) if isinstance(window, int | float) and window > 0 else figure.window


def facts_of(kept: Kept) -> tuple[str, ...]:
    """The seed, step and status of a run, as texts; the status is empty for a finished run."""
    status = "" if kept.record.status == "finished" else kept.record.status
    return f"seed {kept.record.seed}", f"step {kept.step:,}", status


def told_apart(facts: Mapping[str, Sequence[str]], joint: str) -> tuple[list[str], list[str]]:
    """Splits caption facts into those that all variants share and, for each variant, a label with the others.

    A label is the variant's name, ``joint`` and the other facts, separated by commas.
    """
    columns = list(zip(*facts.values(), strict=True))
    same = [len(set(column)) == 1 for column in columns]
    shared = [column[0] for column, alike in zip(columns, same, strict=True) if alike and column[0]]
    own = {
        name: ", ".join(fact for fact, alike in zip(some, same, strict=True) if fact and not alike)
        for name, some in facts.items()
    }
    labels = [f"{name}{joint}{text}" if text else name for name, text in own.items()]
    return [", ".join(shared)] if shared else [], labels
