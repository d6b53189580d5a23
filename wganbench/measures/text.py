"""How far generated text is from real text: the divergence of sequences of symbols, and lines to look at.

As in the official ``gan_language.py``, samples are compared with a part of the text that was not trained on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from wganbench.data.text import Text


def ngram_js(fake: Tensor, data: Text, *, n: int = 4) -> float:
    """The Jensen–Shannon divergence between the n-grams of samples and those of the held-out text.

    The n-grams are all sequences of n symbols inside a sample, and all in the held-out text.

    Args:
        fake: Samples ``(rows, symbols, length)``, of which each place counts as its most probable symbol.
        data: The text.
        n: Number of symbols in a sequence.

    Returns:
        Nats, 0 to log 2, lower is better; NaN if a sample is not finite. `ngram_floor` is about what a perfect
        generator reaches with as many characters as are held out.
    """
    if not fake.isfinite().all():
        return math.nan
    return _divergence(data, data.codes_of(fake), data.held_out[None], n)


def ngram_floor(data: Text, *, n: int = 4) -> float:
    """The Jensen–Shannon divergence between the n-grams of real text, as long as the held-out text, and of this.

    Arguments as for `ngram_js`.

    Returns:
        Nats, 0 to log 2, neither better nor worse.
    """
    return _divergence(data, data.train[None, : len(data.held_out)], data.held_out[None], n)


def text_lines(fake: Tensor, real: Tensor, data: Text, *, lines: int = 16) -> NDArray[np.float64]:
    """The first generated samples, and as many real ones, as code points of Unicode.

    Args:
        fake, real: Samples ``(rows, symbols, length)``.
        lines: Number of samples of each kind, at most ``rows``.

    Returns:
        Shape ``(2, lines, length)``, generated samples first; NaN for those that are not finite.
    """
    points = np.array([*map(ord, data.alphabet.ljust(data.symbols, "\ufffd"))], np.float64)
    made, drawn = (points[data.codes_of(samples[:lines]).cpu().numpy()] for samples in (fake, real))
    whole = fake[:lines].flatten(1).isfinite().all(1).cpu().numpy()
    return np.stack([np.where(whole[:, None], made, np.nan), drawn])


def _divergence(data: Text, left: Tensor, right: Tensor, n: int) -> float:
    """The divergence of the n-grams of two arrays of codes, each ``(rows, length)``."""
    counts = [_counted(codes.cpu().numpy().astype(np.int64), data.symbols, n) for codes in (left, right)]
    grams = np.union1d(*(found for found, _ in counts))
    p, q = np.zeros(len(grams)), np.zeros(len(grams))
    for share, (found, times) in zip((p, q), counts, strict=True):
        share[np.searchsorted(grams, found)] = times
    return float(jensenshannon(p, q) ** 2)


def _counted(codes: NDArray[np.int64], symbols: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different n-grams, each as a number with n digits of base ``symbols``, and how often each occurs."""
    last = codes.shape[1] - n + 1
    grams = sum(codes[:, place : place + last] * symbols ** (n - 1 - place) for place in range(n))
    found, times = np.unique(grams, return_counts=True)
    return found, times
