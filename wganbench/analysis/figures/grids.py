"""Figures of kind ``grids``: generated images over training, all steps side by side or, animated, one after another."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used, ending
from wganbench.errors import RecordError
from wganbench.records.record import Artefact, Record
from wganbench.records.store import Store
from wganbench.spec.figures import GridsFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP = "-grids.png"
"""The suffix of the file name of such an artefact."""
MAX_PIXELS = 2**25
"""The most pixels of a strip: eight times those of the largest strip of 64×64 images."""
EMPTY = 64
"""The side of a cell in pixels if no cell has a grid."""
SPACE = 6
"""The number of white pixels between grids."""
LABEL, TOP, BELOW = 1.35, 0.22, 0.08
"""The inches for the names of the rows, for those of the columns, and for the space below."""
WIDEST = 2 * style.WIDTH
"""The width in inches up to which pixels are shown one to one, or larger."""
FRAME_MS = 1000
SHOWN_WIDTH = 256
"""The least width of an animation in pixels; smaller grids are enlarged."""
CAPTION = 20
"""The number of pixels above the images of an animation."""

Sheet = NDArray[np.uint8]
"""A grid of images, shape ``(height, width, 3)``."""
Cells = Sequence[Sequence[Sheet | str]]
"""The rows of a figure, each with a grid or a text for each column."""


@dataclass(frozen=True)
class Grids:
    """A variant's images of the same latents over training.

    Attributes:
        label: The name of the row.
        steps: The generator steps, ascending.
        sheets: The grid at each step; all have the same shape.
        gone: The text of an empty cell, such as ``"diverged"``.
    """

    label: str
    steps: Sequence[int]
    sheets: Sequence[Sheet]
    gone: str = ""


def select(drawing: Drawing[GridsFigure]) -> Used:
    """Returns the records of runs that kept a strip of images."""
    return drawing.where(has_images)


def _strip(record: Record) -> Artefact | None:
    """Returns the artefact with the run's grids; only the run of a variant whose samples are drawn has one."""
    return next((artefact for artefact in record.artefacts if artefact.file.endswith(STRIP)), None)


def has_images(record: Record) -> bool:
    """Whether a run kept a strip of images."""
    return _strip(record) is not None


def rows_of(used: Used, store: Store) -> dict[str, Grids]:
    """Returns the grids of the first run of each variant.

    Raises:
        RecordError: If an artefact is missing, differs from what its record says, or is not a strip.
    """
    return {variant: _row(variant, records[0], store) for variant, records in used.items()}


def _row(variant: str, record: Record, store: Store) -> Grids:
    artefact = _strip(record)
    assert artefact is not None  # otherwise the record would not be selected
    content = store.artefact(record, artefact)
    try:
        steps, sheets = _cut(content)
    except Exception:  # Pillow may raise any exception for bytes that are not an image
        path = store.path(record).parent / artefact.file
        raise RecordError(f"{path}: holds no grids (a PNG with its steps); run {record.id} again") from None
    return Grids(f"{variant}\nseed {record.seed}", steps, sheets, ending(record))


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


# ---- side by side -------------------------------------------------------------------------------------------------


def draw(drawing: Drawing[GridsFigure], store: Store) -> Figure:
    """Draws the rows of all variants."""
    about = drawing.about("in each row the same latents at every step")
    return draw_rows(list(rows_of(drawing.used, store).values()), drawing.title, about)


def draw_rows(rows: Sequence[Grids], title: str, about: str) -> Figure:
    """Returns a figure of variants (down) × steps (across)."""
    columns = sorted({step for row in rows for step in row.steps})
    cells = [[_cell(row, step) for step in columns] for row in rows]
    names = [f"step {step:,}" for step in columns]
    return draw_cells(cells, [row.label for row in rows], names, title, about)


def _cell(row: Grids, step: int) -> Sheet | str:
    """Returns the grid at a step, or the text in its place."""
    return row.sheets[row.steps.index(step)] if step in row.steps else row.gone


def draw_cells(cells: Cells, rows: Sequence[str], columns: Sequence[str], title: str, about: str) -> Figure:
    """Returns a figure of grids, or of texts in their place, in which each pixel is a whole number of dots if it fits.

    Args:
        cells: The rows from the top, each with a grid or a text for each column.
        rows, columns: Their names.
    """
    height, width = _pitch(cells)
    across, down = len(columns) * width - SPACE, len(rows) * height - SPACE
    # The name of a column needs an inch.
    zoom = max(-(-style.DPI // width), int((style.WIDTH - LABEL) * style.DPI) // across)
    scale = min(zoom, (WIDEST - LABEL) * style.DPI / across)
    label, top, below = (round(inches * style.DPI) for inches in (LABEL, TOP, BELOW))
    wide, tall = round(across * scale), round(down * scale)
    whole_width = max(label + wide + 8, 6 * style.DPI)
    figure = style.blank(whole_width / style.DPI, (top + tall + below) / style.DPI, title, about)
    axes = style.place(figure, *(dots / style.DPI for dots in (label, below, wide, tall)))
    draw_mosaic(axes, cells, rows, columns)
    if scale == zoom:  # without this, an edge that is off by a rounding error would blur the whole image
        axes.images[0].set_interpolation("nearest")
    return figure


def draw_mosaic(axes: Axes, cells: Cells, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Draws the cells as one image, whose pixels are the units of ``axes``, and the names beside and above them."""
    height, width = _pitch(cells)
    mosaic = np.full((len(rows) * height - SPACE, len(columns) * width - SPACE, 3), 255, dtype=np.uint8)
    for down, row in enumerate(cells):
        for across, cell in enumerate(row):
            top, left = down * height, across * width
            if isinstance(cell, str):
                x, y = left + (width - SPACE) / 2, top + (height - SPACE) / 2
                axes.text(x, y, cell, ha="center", va="center", fontsize=7)
            else:
                tall, wide, _ = cell.shape
                mosaic[top : top + tall, left : left + wide] = cell
    axes.imshow(mosaic, extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    axes.set_xticks([(across + 0.5) * width - SPACE / 2 for across in range(len(columns))], columns)
    axes.set_yticks([(down + 0.5) * height - SPACE / 2 for down in range(len(rows))], rows)
    style.label_cells(axes)


def _pitch(cells: Cells) -> tuple[int, int]:
    """Returns the number of pixels from one cell to the next, down and across."""
    shapes = [cell.shape for row in cells for cell in row if not isinstance(cell, str)] or [(EMPTY, EMPTY, 3)]
    return max(shape[0] for shape in shapes) + SPACE, max(shape[1] for shape in shapes) + SPACE


# ---- one after another --------------------------------------------------------------------------------------------


def animation(row: Grids) -> bytes:
    """Returns a GIF that loops through the steps, a second each, with variant and step above the images.

    Returns:
        The content of the file; the same bytes for the same images and libraries.
    """
    font = ImageFont.load_default(12)
    captions = [f"{' '.join(row.label.split())}, step {step:,}" for step in row.steps]
    zoom = -(-SHOWN_WIDTH // row.sheets[0].shape[1])
    width = max(zoom * row.sheets[0].shape[1], *(int(font.getlength(caption)) + 8 for caption in captions))
    frames = []
    for caption, sheet in zip(captions, row.sheets, strict=True):
        large = sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)
        frame = Image.new("RGB", (width, CAPTION + len(large)), "white")
        frame.paste(Image.fromarray(large), (0, CAPTION))
        ImageDraw.Draw(frame).text((2, 2), caption, fill=style.INK, font=font)
        frames.append(frame.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return out.getvalue()
