"""``shapes10``: ten classes of generated shapes, 3×32×32, an image set that every machine has without a download.

A shape has a random position, angle and colour, and a radius between a fifth and three eighths of the image's side. The
background fades from a second colour into a third, and noise covers all. So neither the mean colour nor any single
pixel reveals the class; only the outline does. Edges are anti-aliased by the share of a pixel that is covered.

The random bits are PCG64's, a stream that numpy guarantees. All that follows is integer arithmetic, except that the
cover of a pixel is rounded from float64 to 256ths. So every machine draws the same set. Any change of a pixel must
raise `VERSION`, and with it the ``protocol`` in ``spec/catalogue/data.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.resize import box_average

VERSION = 1
SIDE = 32
COUNTS: dict[Split, int] = {"train": 50_000, "test": 10_000}
CLASSES = ("disc", "ring", "square", "frame", "triangle", "cross", "stripes", "dots", "crescent", "bow tie")

BATCH = 500
CONTRAST = 110
"""The least distance between the colours of shape and background, summed over red, green and blue, 0 to 765."""
CANDIDATES = 8
FADE = 70
"""The most that a channel of the background may change, up or down, from one side of the image to the other."""
REACH = 1.2
"""Room around a shape's centre, in radii. A frame's corner is 1.23 away: still inside, as 15.5 + 0.03 · 12 < 16."""
NOISE = 24
"""The largest amplitude of the triangular noise, which gives a standard deviation of up to 9.8 levels."""

Floats = NDArray[np.float64]


def recipe(split: Split, size: int = SIDE) -> Recipe:
    """The recipe that draws a split; below 32, images are box-averaged."""

    def batches() -> Iterator[Batch]:
        for images, labels in draw(split, COUNTS[split]):
            yield box_average(images, size), labels

    return Recipe("shapes10", split, f"3x{size}x{size}", VERSION, f"{VERSION:016x}", batches)


def draw(split: Split, n: int) -> Iterator[Batch]:
    """Draws the first ``n`` images of a split, in batches: ``(batch, 3, 32, 32)``, uint8, with labels ``(batch,)``.

    The classes alternate: 0, 1, …, 9, 0, ….
    """
    bits = np.random.PCG64([VERSION, {"train": 0, "test": 1}[split]])
    for start in range(0, n, BATCH):
        labels = np.arange(start, start + BATCH) % len(CLASSES)
        images = _paint(_cover(labels, bits), bits)
        yield images[: n - start], labels[: n - start]


def _uniform(bits: np.random.PCG64, *shape: int) -> Floats:
    """Uniform numbers in [0, 1), from the upper 53 of 64 bits."""
    raw = bits.random_raw(math.prod(shape))
    return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53


def _levels(bits: np.random.PCG64, top: int, *shape: int) -> NDArray[np.int16]:
    """Uniform integers from 0 to ``top`` − 1."""
    return (_uniform(bits, *shape) * top).astype(np.int16)


# ---- where the shape is ---------------------------------------------------------------------------------------------


def _cover(labels: NDArray[np.int64], bits: np.random.PCG64) -> NDArray[np.uint16]:
    """The share of each pixel that the shape covers, in 256ths; ``(batch, 32, 32)``."""
    radius, turn, right, down = (_uniform(bits, len(labels), 1, 1) for _ in range(4))
    radius = 6.5 + 5.5 * radius
    room = SIDE / 2 - 0.5 - REACH * radius
    x, y = (np.arange(SIDE) + 0.5 - SIDE / 2 - room * (2 * place - 1) for place in (right, down))
    y = np.swapaxes(y, 1, 2)
    cos, sin = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    u, v = (x * cos + y * sin) / radius, (y * cos - x * sin) / radius
    cover = np.empty(u.shape, np.uint16)
    for label, outline in enumerate(OUTLINES):
        chosen = labels == label
        away = outline(u[chosen], v[chosen]) * radius[chosen]
        cover[chosen] = np.rint(np.clip(0.5 - away, 0, 1) * 256).astype(np.uint16)
    return cover


# Approximate signed distances from a shape's edge to points (u, v), in units of the radius; negative inside.


def _disc(u: Floats, v: Floats) -> Floats:
    return np.sqrt(u * u + v * v) - 1


def _ring(u: Floats, v: Floats) -> Floats:
    return np.abs(np.sqrt(u * u + v * v) - 0.78) - 0.22


def _square(u: Floats, v: Floats) -> Floats:
    return np.maximum(np.abs(u), np.abs(v)) - 0.85


def _frame(u: Floats, v: Floats) -> Floats:
    return np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.68) - 0.19


def _triangle(u: Floats, v: Floats) -> Floats:
    return np.maximum(np.abs(u) * 0.75**0.5 + v * 0.5, -v) - 0.55


def _cross(u: Floats, v: Floats) -> Floats:
    across, along = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(across - 1, along - 0.27), np.maximum(across - 0.27, along - 1))


def _stripes(u: Floats, v: Floats) -> Floats:
    across = np.abs(u)
    return np.maximum(np.minimum(across, np.abs(across - 0.68)) - 0.18, np.abs(v) - 0.85)


def _dots(u: Floats, v: Floats) -> Floats:
    across, along = np.abs(u) - 0.58, np.abs(v) - 0.58
    return np.sqrt(across * across + along * along) - 0.36


def _crescent(u: Floats, v: Floats) -> Floats:
    moved = u - 0.5
    return np.maximum(np.sqrt(u * u + v * v) - 1, 0.8 - np.sqrt(moved * moved + v * v))


def _bow_tie(u: Floats, v: Floats) -> Floats:
    across = np.abs(u)
    return np.maximum(np.abs(v) * 0.8 - across * 0.6, across - 0.9)


OUTLINES = (_disc, _ring, _square, _frame, _triangle, _cross, _stripes, _dots, _crescent, _bow_tie)


# ---- what it looks like ---------------------------------------------------------------------------------------------


def _paint(cover: NDArray[np.uint16], bits: np.random.PCG64) -> NDArray[np.uint8]:
    """Adds colours, a fading background and noise, in integer arithmetic; ``(batch, 3, 32, 32)``."""
    n = len(cover)
    ground = _levels(bits, 256, n, 1, 3)
    candidates = _levels(bits, 256, n, CANDIDATES, 3)
    far = np.abs(candidates - ground).sum(axis=2) >= CONTRAST
    shape = candidates[np.arange(n), far.argmax(axis=1)]  # the first that is far enough; the first of all if none is
    faded = np.clip(ground[:, 0] + _levels(bits, 2 * FADE + 1, n, 3) - FADE, 0, 255)
    background = _mix(_plane(ground[:, 0]), _plane(faded), _fade(bits, n))
    painted = _mix(background, _plane(shape), cover)
    amplitude = _levels(bits, NOISE + 1, n, 1, 1, 1)
    noise = _bytes(bits, painted.shape) + _bytes(bits, painted.shape) - 255
    noisy = painted.astype(np.int16) + (noise * amplitude + 128 >> 8)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _plane(colour: NDArray[np.int16]) -> NDArray[np.uint16]:
    """Adds two axes for broadcasting over pixels: ``(n, 3)`` → ``(n, 3, 1, 1)``."""
    return colour.astype(np.uint16)[:, :, None, None]


def _fade(bits: np.random.PCG64, n: int) -> NDArray[np.uint16]:
    """A gradient from 0 to 256 across the image in a random direction; ``(n, 32, 32)``."""
    turn = 2 * np.pi * _uniform(bits, n, 1, 1)
    place = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    along = place[:, None] * np.sin(turn) + place * np.cos(turn)
    return np.rint(np.clip(0.5 + along / 2**0.5, 0, 1) * 256).astype(np.uint16)


def _mix(one: NDArray[np.uint16], other: NDArray[np.uint16], part: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Blends ``part`` 256ths of ``other`` into ``one``, ``(n, 3, 32, 32)``; 16 bits suffice, as 255 · 256 < 65,536."""
    part = part[:, None]
    return (one * (256 - part) + other * part >> 8).astype(np.uint16)


def _bytes(bits: np.random.PCG64, shape: tuple[int, ...]) -> NDArray[np.int16]:
    raw = bits.random_raw(math.prod(shape) // 8).astype("<u8")
    return raw.view(np.uint8).reshape(shape).astype(np.int16)
