"""Image downscaling by area averaging, in integer arithmetic, so that every machine gets the same pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wganbench.errors import DataError

Pixels = NDArray[np.uint8]


def centre_crop(images: Pixels) -> Pixels:
    """Crops the largest square about the centre; if the excess is odd, one pixel more goes at the bottom or right.

    Args:
        images: Shape ``(..., height, width)``.

    Returns:
        A view of shape ``(..., side, side)``, where side is the smaller of height and width.
    """
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side]


def box_average(images: Pixels, size: int) -> Pixels:
    """Replaces each area of a new pixel by its mean, rounded to the nearest integer, with halves rounded up.

    If ``side`` is a multiple of ``size``, this is the mean of a block of pixels. If not, a pixel on the border of two
    areas counts in each by the part that lies there. (Pillow's ``BOX`` counts it in one of them only.)

    Args:
        images: Square images, ``(..., side, side)``.
        size: The new side, 1 to ``side``.

    Returns:
        Shape ``(..., size, size)``.

    Raises:
        DataError: If the images are not square, or would have to be enlarged.
    """
    height, side = images.shape[-2:]
    if height != side or not 1 <= size <= side:
        raise DataError(f"box_average, size: must be 1 to {side} and the images square, got {size} of {height}×{side}")
    if side == size:
        return images
    if side % size == 0:
        factor = side // size
        blocks = images.reshape(*images.shape[:-2], size, factor, size, factor)
        total, area = blocks.sum(axis=(-3, -1), dtype=np.int64), factor**2
    else:
        parts = _overlaps(side, size)
        total, area = np.stack([_band(images, part) for part in parts], axis=-2) @ parts.T, side**2
    return ((total + area // 2) // area).astype(np.uint8)


def _band(images: Pixels, part: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns ``part @ images``, without the rows of the images that count nothing."""
    counted = np.flatnonzero(part)
    rows = slice(counted[0], counted[-1] + 1)
    band: NDArray[np.int64] = part[rows] @ images[..., rows, :].astype(np.int64)
    return band


@lru_cache
def _overlaps(side: int, size: int) -> NDArray[np.int64]:
    """The overlap of each old pixel with each new one, ``(size, side)``; each row sums to ``side``.

    Lengths are in units of 1 / (``side`` · ``size``) of the image.
    """
    old, new = np.arange(side) * size, np.arange(size)[:, None] * side
    return np.clip(np.minimum(old + size, new + side) - np.maximum(old, new), 0, None)
