"""Reads the strips of images that runs keep, for the figure and the animations of them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from wganbench.analysis.figures.plot_grids import Grids, Sheet
from wganbench.errors import RecordError
from wganbench.records.record import Artefact, Record
from wganbench.records.store import Store

STRIP = "-grids.png"
"""The suffix of the file name of such an artefact."""
MAX_PIXELS = 2**25
"""The most pixels of a strip: eight times those of the largest strip of 64×64 images."""


def strip(record: Record) -> Artefact | None:
    """The artefact with the run's grids over training; only the run of a variant whose samples are drawn has one."""
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(STRIP)), None)


def rows_of(used: Mapping[str, Sequence[Record]], store: Store) -> dict[str, Grids]:
    """Returns the grids of the first run of each variant.

    Args:
        used: The records of each variant that have a ``strip``.

    Raises:
        RecordError: If an artefact is missing, differs from what its record says, or is not a strip.
    """
    return {variant: _row(variant, records[0], store) for variant, records in used.items()}


def _row(variant: str, record: Record, store: Store) -> Grids:
    artefact = strip(record)
    assert artefact is not None
    content = store.artefact(record, artefact)
    try:
        steps, sheets = _cut(content)
    except Exception:  # Pillow may raise any exception for bytes that are not an image
        path = store.path(record).parent / artefact.file
        raise RecordError(f"{path}: holds no grids (a PNG with its steps); run {record.id} again") from None
    gone = f"{record.status}\nat step {record.steps_done:,}" if record.status != "finished" else ""
    return Grids(f"{variant}\nseed {record.seed}", steps, sheets, gone)


def _cut(content: bytes) -> tuple[list[int], list[Sheet]]:
    """Returns the steps of a strip and the grids at these steps.

    Raises:
        Exception: Any exception, if the content is not a strip.
    """
    with Image.open(io.BytesIO(content), formats=["PNG"]) as file:
        if file.width * file.height > MAX_PIXELS:
            raise ValueError("too large")
        steps = [int(word) for word in file.info["steps"].split()]
        pixels = np.asarray(file.convert("RGB"))
    if steps != sorted({*steps}) or file.width % len(steps):
        raise ValueError("not as many grids as steps")
    return steps, np.split(pixels, len(steps), axis=1)
