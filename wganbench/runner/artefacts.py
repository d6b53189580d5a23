"""Renders grids of sample images, like those in the papers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from wganbench.errors import DataError

GAP = 2
"""The number of white pixels between images."""


def grid(images: Tensor, columns: int) -> bytes:
    """Renders images side by side, row after row, as a PNG file.

    Args:
        images: Shape ``(n, channels, height, width)``, uint8; one channel is grey, three are RGB.
        columns: Number of images per row; the last row may have fewer.

    Returns:
        The content of the file; the same bytes for the same images and libraries.

    Raises:
        DataError: If there are no images, or they have another shape or dtype.
    """
    return _png(_sheet(images, columns), PngInfo())


def strip(grids: Tensor, steps: Sequence[int], columns: int) -> bytes:
    """Renders grids of the same latents at several steps, from left to right, as one PNG file.

    All grids have the same width, and each has ``GAP`` white pixels on its right. The file's text entry ``steps`` lists
    the steps at which they were made, such as ``"0 500 1000"``. Images that cannot be compressed make a file hardly
    larger than their pixels: 1.7 MB for 16 grids of 32 colour images of 32×32.

    Args:
        grids: Shape ``(k, n, channels, height, width)``, uint8.
        steps: The ``k`` generator steps of the grids.
        columns: Number of images per row of each grid.

    Raises:
        DataError: If there are no images, they have another shape or dtype, or there is not one grid per step.
    """
    if len(grids) != len(steps) or not len(steps):
        raise DataError(f"strip, grids: must be as many as steps and at least 1, got {len(grids)} for {len(steps)}")
    about = PngInfo()
    about.add_text("steps", " ".join(map(str, steps)))
    sheets = [_sheet(images, columns) for images in grids]
    gap = torch.full((len(sheets[0]), GAP, sheets[0].shape[2]), 255, dtype=torch.uint8)
    return _png(torch.cat([part for sheet in sheets for part in (sheet, gap)], dim=1), about)


def _sheet(images: Tensor, columns: int) -> Tensor:
    """Lays out the images as one image of shape ``(height, width, channels)``."""
    if images.ndim != 4 or images.dtype != torch.uint8 or images.shape[1] not in (1, 3) or not images.numel():
        kind = f"{tuple(images.shape)} {images.dtype}"
        raise DataError(f"grid, images: must be (n, 1 or 3, height, width) torch.uint8, got {kind}")
    if columns < 1:
        raise DataError(f"grid, columns: must be at least 1, got {columns}")
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    sheet = torch.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255, dtype=torch.uint8)
    for i, image in enumerate(images.cpu()):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image.permute(1, 2, 0)
    return sheet


def _png(sheet: Tensor, about: PngInfo) -> bytes:
    file = io.BytesIO()
    Image.fromarray(sheet.squeeze(2).numpy()).save(file, format="PNG", optimize=True, pnginfo=about)
    return file.getvalue()
