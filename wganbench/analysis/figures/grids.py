"""From the strips of images that runs keep to the figure and the animations of them."""

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
"""How the name of such an artefact ends."""
MAX_PIXELS = 2**25
"""Eight times those of the largest strip of images of 64×64."""


def strip(record: Record) -> Artefact | None:
    """The run's grids over training; only the run of a variant whose samples are drawn has them."""
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(STRIP)), None)


def rows_of(used: Mapping[str, Sequence[Record]], store: Store) -> dict[str, Grids]:
    """By variant, the grids of its first run.

    Args:
        used: By variant, records that have a ``strip``.

    Raises:
        RecordError: If an artefact is missing, not what its record says, or no strip.
    """
    return {variant: _row(variant, records[0], store) for variant, records in used.items()}


def _row(variant: str, record: Record, store: Store) -> Grids:
    artefact = strip(record)
    assert artefact is not None
    content = store.artefact(record, artefact)
    try:
        steps, sheets = _cut(content)
    except Exception:  # Pillow raises anything at all on bytes that are not its own
        path = store.path(record).parent / artefact.file
        raise RecordError(f"{path}: holds no grids (a PNG with its steps); run {record.id} again") from None
    gone = f"{record.status}\nat step {record.steps_done:,}" if record.status != "finished" else ""
    return Grids(f"{variant}\nseed {record.seed}", steps, sheets, gone)


def _cut(content: bytes) -> tuple[list[int], list[Sheet]]:
    """The steps of a strip and the grids at these.

    Raises:
        Exception: Any, if it is none.
    """
    with Image.open(io.BytesIO(content), formats=["PNG"]) as file:
        if file.width * file.height > MAX_PIXELS:
            raise ValueError("too large")
        steps = [int(word) for word in file.info["steps"].split()]
        pixels = np.asarray(file.convert("RGB"))
    if steps != sorted({*steps}) or file.width % len(steps):
        raise ValueError("not as many grids as steps")
    return steps, np.split(pixels, len(steps), axis=1)
