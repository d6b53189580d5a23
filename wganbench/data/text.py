"""Texts as data: runs of consecutive characters, as one-hot vectors.

The second half of a text is held out for comparison, or the last million characters if that is less. Before that, each
run of white space becomes one space. The package has a text of its own: the 154 sonnets of William Shakespeare (1609),
in modern spelling, which are in the public domain.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wganbench.data.locations import data_folder
from wganbench.errors import DataError
from wganbench.files import DATA_VARIABLE
from wganbench.reading import read_bytes

SONNETS = Path(__file__).with_name("texts") / "sonnets.txt"
MAX_HELD_OUT = 1_000_000
MAX_BYTES = 2**32
"""The largest file of a text, all of which is held in memory."""
OTHER = "\ufffd"
"""The symbol for all characters that a full alphabet has no place for."""


@dataclass(frozen=True, eq=False)
class Text:
    """A text in two parts.

    Attributes:
        alphabet: The symbols in the order of their codes; at most ``symbols``.
        train, held_out: The codes of both parts, shape ``(n,)``, int16.
        length: Number of characters in a sample.
        symbols: Length of the one-hot vectors; codes that no character has are never drawn.
        checksum: SHA-256 of the whole text, 64 hexadecimal digits; kept in records.
    """

    alphabet: str
    train: Tensor
    held_out: Tensor
    length: int
    symbols: int
    checksum: str

    @property
    def sample_shape(self) -> tuple[int, int]:
        """``(symbols, length)``."""
        return self.symbols, self.length

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws passages of the part to train on, which begin anywhere, with replacement.

        Returns:
            One-hot vectors, ``(n, symbols, length)``, float32, on the device of ``rng``.
        """
        begin = torch.randint(len(self.train) - self.length + 1, (n, 1), generator=rng, device=rng.device)
        codes = self.train[begin + torch.arange(self.length, device=rng.device)].long()
        return torch.zeros(n, *self.sample_shape, device=rng.device).scatter_(1, codes[:, None], 1.0)

    def codes_of(self, samples: Tensor) -> Tensor:
        """The code of the most probable symbol at each place: ``(n, symbols, length)`` → ``(n, length)``, int64."""
        return samples.argmax(1)

    def to(self, device: torch.device | str) -> Text:
        """Returns the same text on ``device``."""
        return replace(self, train=self.train.to(device), held_out=self.held_out.to(device))


def text(*, file: str | None = None, length: int = 32, symbols: int = 64) -> Text:
    """A text in UTF-8, of which samples are passages (Gulrajani et al., § 5.5, have the beginnings of sentences).

    Args:
        file: Name of a file in the data folder; None for the sonnets that come with the package.
        length: Number of characters in a sample.
        symbols: Length of the one-hot vectors, at most 4,096. If the text has more different characters, the rarest
            share the last symbol.

    Raises:
        DataError: If the file is missing, is not UTF-8, or is too short.
    """
    path = SONNETS if file is None else data_folder() / file
    content = " ".join(_read(path).split())
    half = len(content) // 2
    if half < length:
        found = f"{len(content):,} characters" if content else "no characters but white space"
        raise DataError(f"{path}: {found}; must be at least {2 * length:,}, two samples of length {length:,}")
    points = np.frombuffer(content.encode("utf-32-le"), np.uint32)
    alphabet = _alphabet(points, symbols)
    table = np.full(sys.maxunicode + 1, len(alphabet) - 1, np.int16)  # OTHER, if it is needed, is the last symbol
    table[[*map(ord, alphabet)]] = np.arange(len(alphabet))
    codes = torch.from_numpy(table[points])
    n_train = len(codes) - min(half, MAX_HELD_OUT)
    checksum = hashlib.sha256(content.encode()).hexdigest()
    return Text(alphabet, codes[:n_train], codes[n_train:], length, symbols, checksum)


def _read(path: Path) -> str:
    try:
        content = read_bytes(path, MAX_BYTES)
    except OSError as error:
        mend = f"put a text there, or name another data folder with --data-dir or {DATA_VARIABLE}"
        raise DataError(f"{path}: cannot be read ({error.strerror}); {mend}") from None
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte 0x{content[error.start]:02x} at {error.start:,}"
        raise DataError(f"{path}: is not UTF-8 ({where}); convert it, as iconv does") from None
    if "\0" in found:
        raise DataError(f"{path}: is no text in UTF-8 (a zero byte at {content.index(0):,}); convert it, as iconv does")
    return found


def _alphabet(points: NDArray[np.uint32], symbols: int) -> str:
    """The different characters in the order of their code points; the most frequent ones and OTHER if too many."""
    counts = np.bincount(points)
    different = np.flatnonzero(counts)
    if len(different) <= symbols:
        return "".join(map(chr, different))
    frequent = different[np.argsort(-counts[different], kind="stable")][: symbols - 1]
    return "".join(map(chr, np.sort(frequent))) + OTHER
