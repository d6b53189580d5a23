"""Figures of generated images over training: all steps side by side, or one after the other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wganbench.analysis.figures.plot import DPI, INK, WIDTH, entitle, heading

Sheet = NDArray[np.uint8]
"""A grid of images, shape ``(height, width, 3)``."""


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


# ---- side by side -------------------------------------------------------------------------------------------------

SPACE = 6
"""The number of white pixels between grids."""
LABEL, TOP, BELOW = 1.35, 0.22, 0.08
"""The inches for the names of the rows, for those of the columns, and for the space below."""
WIDEST = 2 * WIDTH
"""The width in inches up to which pixels are shown one to one, or larger."""


def grids(axes: Axes, rows: Sequence[Grids]) -> None:
    """Draws variants (down) × steps (across) as one image, whose pixels are the units of ``axes``."""
    columns, (height, width) = _columns(rows), _pitch(rows)
    mosaic = np.full((len(rows) * height - SPACE, len(columns) * width - SPACE, 3), 255, dtype=np.uint8)
    for down, row in enumerate(rows):
        at = dict(zip(row.steps, row.sheets, strict=True))
        for across, step in enumerate(columns):
            top, left = down * height, across * width
            if step in at:
                tall, wide, _ = at[step].shape
                mosaic[top : top + tall, left : left + wide] = at[step]
            else:
                x, y = left + (width - SPACE) / 2, top + (height - SPACE) / 2
                axes.text(x, y, row.gone, ha="center", va="center", fontsize=7, color=INK)
    axes.imshow(mosaic, extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    axes.set_xticks([(across + 0.5) * width - SPACE / 2 for across in range(len(columns))])
    axes.set_xticklabels([f"step {step:,}" for step in columns])
    axes.set_yticks([(down + 0.5) * height - SPACE / 2 for down in range(len(rows))], [row.label for row in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    axes.spines[:].set_visible(False)


def _columns(rows: Sequence[Grids]) -> list[int]:
    return sorted({step for row in rows for step in row.steps})


def _pitch(rows: Sequence[Grids]) -> tuple[int, int]:
    """The number of pixels from one cell to the next, down and across."""
    shapes = [sheet.shape for row in rows for sheet in row.sheets]
    return max(shape[0] for shape in shapes) + SPACE, max(shape[1] for shape in shapes) + SPACE


def grids_figure(rows: Sequence[Grids], *, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``grids``, where each pixel is a whole number of dots unless that is too wide."""
    height, width = _pitch(rows)
    across, down = len(_columns(rows)) * width - SPACE, len(rows) * height - SPACE
    zoom = max(-(-DPI // width), int((WIDTH - LABEL) * DPI) // across)  # the name of a column needs an inch
    scale = min(zoom, (WIDEST - LABEL) * DPI / across)
    wide, tall = round(across * scale), round(down * scale)
    whole_width = max(round(LABEL * DPI) + wide + 8, 6 * DPI)
    below = round(BELOW * DPI)
    whole_height = round((heading(about, whole_width / DPI) + TOP) * DPI) + tall + below
    figure = Figure(figsize=(whole_width / DPI, whole_height / DPI), dpi=DPI)
    place = (round(LABEL * DPI) / whole_width, below / whole_height, wide / whole_width, tall / whole_height)
    grids(figure.add_axes(place), rows)
    entitle(figure, title, about)
    return figure


# ---- one after the other ------------------------------------------------------------------------------------------

FRAME_MS = 1000
SHOWN_WIDTH = 256
"""The least width of an animation in pixels; smaller grids are enlarged."""
CAPTION = 20
"""The number of pixels above the images."""


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
        ImageDraw.Draw(frame).text((2, 2), caption, fill=INK, font=font)
        frames.append(frame.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return out.getvalue()
