"""Reads the arrays that a run kept for figures in its npz file, and checks them before they are drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.figures.style import Array
from wganbench.archives import read_npz
from wganbench.errors import RecordError
from wganbench.records.record import Artefact, Record
from wganbench.records.store import Store
from wganbench.spec import MAX_FLOAT, short_name
from wganbench.spec.figures import PictureFigure

MAX_UNPACKED = 2**27
"""The most bytes of an unpacked file: sixteen times the largest picture at sixteen steps."""


def npz(record: Record) -> Artefact | None:
    """Returns the artefact with the arrays that the run kept, if it kept any."""
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(".npz")), None)


def with_picture(drawing: Drawing[PictureFigure]) -> Used:
    """Returns the records of runs that kept the figure's picture and did not fail."""

    def has_picture(record: Record) -> bool:
        return record.status != "failed" and drawing.figure.picture in (record.setting.pictures or {})

    return drawing.where(lambda record: has_picture(record) and npz(record) is not None)


def arrays_of(record: Record, store: Store, what: str) -> dict[str, NDArray[Any]]:
    """Returns all arrays in a run's npz, with NaN for numbers that are too large to be drawn.

    Raises:
        RecordError: If it is not an archive, or has no steps; the message is "holds no ``what``".
    """
    artefact = npz(record)
    assert artefact is not None  # a figure selects only records that have one
    content = store.artefact(record, artefact)
    try:
        arrays = _unpacked(content)
    except Exception:  # bytes that are not an archive may cause any exception
        arrays = {}
    steps = arrays.get("steps")
    if steps is None or steps.ndim != 1 or not len(steps) or steps.dtype.kind not in "iu":
        raise unusable(record, store, f"holds no {what}")
    return arrays


def _unpacked(content: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays in an npz, of any type but Python objects."""
    arrays = read_npz(io.BytesIO(content), MAX_UNPACKED)
    wide = {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.itemsize > 4}
    return arrays | {name: np.where(np.abs(array) <= MAX_FLOAT, array, np.nan) for name, array in wide.items()}


def unusable(record: Record, store: Store, wrong: str, remedy: str = "") -> RecordError:
    """Returns the error that a run's npz lacks what a figure needs; ``remedy`` is an alternative to a new run."""
    artefact = npz(record)
    assert artefact is not None
    path = store.path(record).parent / artefact.file
    return RecordError(f"{path}: {wrong}; {remedy}run {record.id} again")


def are_planar(fake: NDArray[Any], real: NDArray[Any], steps: NDArray[Any]) -> bool:
    """Returns whether the arrays are two-dimensional samples, ``(k, n, 2)`` and ``(n, 2)``, at ``k`` steps."""
    fit = fake.ndim == 3 and real.ndim == 2 and fake.shape[2] == real.shape[1] == 2 and len(fake) == len(steps)
    return fit and fake.size > 0 and _is_numeric(fake) and _is_numeric(real)


def _is_numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iuf"


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

    @property
    def facts(self) -> tuple[str, ...]:
        """The seed, step and status of the run, as texts; the status is empty for a finished run."""
        status = "" if self.record.status == "finished" else self.record.status
        return f"seed {self.record.seed}", f"step {self.step:,}", status


def kept_of(
    record: Record, store: Store, figure: PictureFigure, shape: str, fits: Callable[[tuple[int, ...]], bool]
) -> Kept:
    """Reads the last picture of one run for a figure.

    Args:
        shape: The shape of the pictures that the figure's kind draws, in words.
        fits: The same as a test.

    Raises:
        RecordError: If the run's npz has no such picture, or it has another shape.
    """
    arrays = arrays_of(record, store, f"picture {figure.picture!r}")
    pictures, steps = arrays.get(f"picture.{figure.picture}"), arrays["steps"]
    if pictures is None:
        held = ", ".join(map(short_name, arrays))
        raise unusable(record, store, f"holds no picture {figure.picture!r} (it has {held})")
    if not fits(pictures.shape[1:]) or 0 in pictures.shape or len(pictures) != len(steps) or not _is_numeric(pictures):
        wrong = f"picture {figure.picture!r} is {pictures.dtype} of shape {pictures.shape} at {len(steps)} steps, "
        wrong += f"and a figure of kind {figure.kind!r} draws numbers of shape {shape} at each"
        raise unusable(record, store, wrong, "name another picture in the figure, or ")
    step, picture = int(steps[-1]), pictures[-1].astype(np.float64)
    fake, real = arrays.get("fake"), arrays.get("real")
    if fake is None or real is None or not are_planar(fake, real, steps):
        return Kept(record, step, picture, None, None)
    return Kept(record, step, picture, fake[-1], real)
