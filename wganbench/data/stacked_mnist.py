"""``stacked_mnist``: three digits of MNIST as the channels of one image; 1,000 classes (Srivastava et al. 2017).

Each digit is drawn with replacement from all digits of the split, as in the code of Lin et al. (2018, PacGAN), which
draws from both splits. The class of the digits a, b, c is the number abc. The random bits are PCG64's, a stream that
numpy guarantees, so that every machine composes the same set. Any change of a pixel must raise `VERSION`, and with it
the ``protocol`` in ``spec/catalogue/data.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wganbench.data import torchvision_sets
from wganbench.data.cache import Batch, Recipe, Split, obtain
from wganbench.data.locations import decoded_folder

VERSION = 1
SIDE = torchvision_sets.SIDES["mnist"]
DIGITS = 3
COUNTS: dict[Split, int] = {"train": 128_000, "test": 26_000}

BATCH = 1000


def recipe(split: Split, size: int = SIDE) -> Recipe:
    """The recipe that composes a split from MNIST's; below 28, the digits are box-averaged."""
    source = torchvision_sets.mnist(split, size)

    def batches() -> Iterator[Batch]:
        digits = obtain(source, decoded_folder())
        chosen = draw(split, COUNTS[split], len(digits.labels))
        for rows in (chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)):
            yield digits.images[rows, 0], digits.labels[rows] @ 10 ** np.arange(DIGITS)[::-1]

    return Recipe("stacked_mnist", split, f"{DIGITS}x{size}x{size}", VERSION, source.key, batches)


def draw(split: Split, n: int, n_digits: int) -> NDArray[np.int64]:
    """Draws the digits of ``n`` images, as places among ``n_digits``; ``(n, 3)``."""
    bits = np.random.PCG64([VERSION, {"train": 0, "test": 1}[split]])
    return (bits.random_raw(n * DIGITS) % np.uint64(n_digits)).astype(np.int64).reshape(n, DIGITS)
