"""Image sets for training and measures: uint8 pixels on the device, drawn and scaled in batches.

`Epochs` is the order of training on a set: shuffled again in each epoch, with the last partial batch dropped. As in
Gulrajani et al.'s loaders (``tflib/cifar10.py``), an epoch goes through all images in batches, and no image appears
twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from wganbench.data.cache import Decoded
from wganbench.errors import DataError

Scaling = Literal["255", "256-dequantised", "unit"]
"""The scaling of bytes x to floats, as published (Gulrajani et al. 2017, code).

``255``: 2 (x/255 − 1/2), in [−1, 1] (``gan_cifar.py``, ``gan_64x64.py``; § 5.1). ``256-dequantised``: 2 (x/256 − 1/2)
plus uniform noise in [0, 1/128], the width of one level, new in every draw (``gan_cifar_resnet.py``; § 5.4). ``unit``:
x/255, in [0, 1] (``gan_mnist.py``).
"""


@dataclass(frozen=True, eq=False)
class Images:
    """A set of images with labels.

    Attributes:
        name: Name of the set; for a folder of images, the folder's name.
        pixels: Shape ``(n, channels, height, width)``, uint8, on the device on which they are drawn.
        labels: Shape ``(n,)``, int64, from 0, on the same device.
        checksum: SHA-256 of all images and labels before any scaling, 64 hexadecimal digits; kept in records.
        scaling: See `Scaling`.
        flips: Whether `take` mirrors images left to right, each with probability 1/2.
        shuffled: Whether any consecutive images are a fair sample of all, as in random order or with alternating
            classes. If not, as for images sorted by class, scores take their reference in a random order instead.
        held_out: The images of the set that are kept from training; None if there are none.
    """

    name: str
    pixels: Tensor
    labels: Tensor
    checksum: str
    scaling: Scaling = "255"
    flips: bool = False
    shuffled: bool = False
    held_out: Images | None = None

    def __post_init__(self) -> None:
        if self.scaling not in get_args(Scaling):
            known = ", ".join(get_args(Scaling))
            raise DataError(f"{self.name}, scaling: must be one of {known}, got {self.scaling!r}")

    @classmethod
    def of(cls, name: str, decoded: Decoded, scaling: Scaling, flips: bool = False, shuffled: bool = False) -> Images:
        """Wraps a decoded file, which stays mapped: an image is read when it is drawn or moved to another device."""
        pixels, labels = torch.from_numpy(decoded.images), torch.from_numpy(decoded.labels)
        return cls(name, pixels, labels, decoded.checksum, scaling, flips, shuffled)

    def parted(self, limit: int | None, held_out: float | None) -> Images:
        """Returns the images to train on: the first ``limit`` of those that are left without the last, held-out ones.

        Args:
            limit: Number of images; None for all that are left.
            held_out: Number of images to hold out, or, below 1, the fraction of all; None for none.

        Raises:
            DataError: If nothing would be held out, nothing be left, or fewer be left than ``limit``.
        """
        part = 0 if held_out is None else held_out
        n = round(part * len(self)) if part < 1 else int(part)
        rest = len(self) - n
        if held_out is not None and not 0 < n < len(self):
            raise DataError(f"{self.name}, held_out: {held_out} is {n:,} of {len(self):,} images; some must be left")
        if limit is not None and limit > rest:
            raise DataError(f"{self.name}, limit: must be at most the {rest:,} images to train on, got {limit:,}")
        if held_out is None and limit is None:
            return self
        return replace(self._rows(0, limit or rest), held_out=self._rows(rest, len(self)) if n else None)

    def _rows(self, start: int, end: int) -> Images:
        return replace(self, pixels=self.pixels[start:end], labels=self.labels[start:end])

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)``."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def check_classes(self, classes: int) -> None:
        """Raises DataError unless the labels run from 0 to ``classes`` − 1."""
        if self.n_classes != classes or int(self.labels.min()) < 0:
            found = f"labels from {int(self.labels.min())} to {self.n_classes - 1}"
            raise DataError(f"{self.name}: has {found}, and the networks have {classes} classes; must be as many")

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws images with replacement, with equal probabilities and never mirrored, for measures.

        Args:
            n: Number of images.
            rng: The only source of randomness, on the device of ``pixels``.

        Returns:
            Shape ``(n, channels, height, width)``, float32, on that device.
        """
        return self._scaled(self.pixels[self._with_replacement(n, rng)], rng)

    def draw_labels(self, n: int, rng: torch.Generator) -> Tensor:
        """The labels, ``(n,)``, int64, of the images that `draw` returns for the same state of ``rng``."""
        return self.labels[self._with_replacement(n, rng)]

    def _with_replacement(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(len(self), (n,), generator=rng, device=rng.device)

    def take(self, indices: Tensor, rng: torch.Generator) -> Tensor:
        """Returns the images at ``indices``, such as a batch of `Epochs`, for training.

        Args:
            indices: Shape ``(n,)``, int64, on the device of ``pixels``; their labels are ``labels[indices]``.
            rng: Random stream for ``flips``, and after these for the noise of ``256-dequantised``; unchanged if neither
                is used.

        Returns:
            Shape ``(n, channels, height, width)``, float32.
        """
        pixels = self.pixels[indices]
        if self.flips:
            reversed_ = torch.rand(len(pixels), generator=rng, device=rng.device) < 0.5
            pixels = torch.where(reversed_.view(-1, 1, 1, 1), pixels.flip(-1), pixels)
        return self._scaled(pixels, rng)

    def _scaled(self, pixels: Tensor, rng: torch.Generator) -> Tensor:
        x = pixels.float()
        if self.scaling == "unit":
            return x / 255
        if self.scaling == "255":
            return 2 * (x / 255 - 0.5)
        return torch.empty_like(x).uniform_(0, 1 / 128, generator=rng).add_(2 * (x / 256 - 0.5))

    def to(self, device: torch.device | str) -> Images:
        """Returns the same images on ``device``."""
        held_out = None if self.held_out is None else self.held_out.to(device)
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device), held_out=held_out)


class Epochs:
    """An endless stream of batches of indices for one seed.

    The order depends on ``rng`` alone, which must serve no other purpose: `state` stores the state of ``rng`` at the
    beginning of the epoch, and `restore` repeats the shuffle of that epoch.

    Args:
        n: Size of the data set.
        batch_size: Number of indices per batch; 1 to ``n``.
        rng: The random stream of the order; the indices are made on its device.
    """

    def __init__(self, n: int, batch_size: int, rng: torch.Generator):
        if not 1 <= batch_size <= n:
            raise DataError(f"batch_size: must be between 1 and the data set's {n:,}, got {batch_size}")
        self.n, self.batch_size, self.rng = n, batch_size, rng
        self._begin()

    def _begin(self) -> None:
        self._began = self.rng.get_state()
        self._order = torch.randperm(self.n, generator=self.rng, device=self.rng.device)
        self._position = 0

    def batch(self) -> Tensor:
        """Returns the next indices, ``(batch_size,)``, int64; no two are equal."""
        if self._position + self.batch_size > self.n:
            self._begin()
        start = self._position
        self._position = start + self.batch_size
        return self._order[start : self._position]

    def state(self) -> dict[str, Any]:
        """Returns ``began`` (a generator's state: bytes in a CPU tensor) and ``position`` (indices used since then)."""
        return {"began": self._began.clone(), "position": self._position}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state` that was saved with the same ``n``, ``batch_size`` and kind of device.

        Raises:
            ValueError: If the state does not fit; nothing is changed then.
        """
        began, position = state.get("began"), state.get("position")
        if not isinstance(began, Tensor) or began.shape != self._began.shape or began.dtype != self._began.dtype:
            raise ValueError(f"began: must be a generator's state of {len(self._began)} bytes")
        if type(position) is not int or not 0 <= position <= self.n or position % self.batch_size:
            raise ValueError(f"position: must be a multiple of {self.batch_size} of at most {self.n}, got {position}")
        self.rng.set_state(began)
        self._begin()
        self._position = position
