"""Sample grids, as the papers print them."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from wganbench.errors import DataError

GAP = 2
"""White pixels between images."""


def grid(images: Tensor, columns: int) -> bytes:
    """Images side by side, row after row, as a PNG file.

    Args:
        images: Shape ``(n, channels, height, width)``, uint8; one channel is grey, three are RGB.
        columns: Images a row; the last row may have fewer.

    Returns:
        The file; the same bytes for the same images and libraries.

    Raises:
        DataError: If the images are none, or not of that kind.
    """
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
    file = io.BytesIO()
    Image.fromarray(sheet.squeeze(2).numpy()).save(file, format="PNG", optimize=True)
    return file.getvalue()
