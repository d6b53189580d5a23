"""``classifier``: a score network that the suite has trained itself; never set against a published score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.backends import cudnn

from wganbench.errors import DataError
from wganbench.measures.scores.classifier_file import read_file
from wganbench.measures.scores.network import Network
from wganbench.measures.scores.network_outputs import Outputs
from wganbench.measures.scores.protocol import ENDING, About, of_classifier

BATCH = 500


class Classifier:
    """A trained network with its weights rounded as in its file, so that it says the same wherever it is loaded.

    Attributes:
        name: Of its file, without the ending.
        about: What the file says of it, the test accuracy among it.
    """

    def __init__(self, name: str, about: About, state: Mapping[str, Tensor]):
        self.name, self.about = name, about
        with torch.device("meta"):  # draws nothing from torch's own stream
            self.network = Network(about.channels, about.classes, about.width, folded=True)
        self.network.load_state_dict({key: tensor.float() for key, tensor in state.items()}, assign=True)
        self.network.requires_grad_(False).to(memory_format=torch.channels_last)
        self.device = torch.device("cpu")

    @property
    def protocol(self) -> str:
        """``classifier@shapes10-32-1a2b3c4d``: data set, size and the hash of the file."""
        return of_classifier(self.name)

    def to(self, device: torch.device | str) -> Classifier:
        """Itself, moved to ``device``."""
        self.network.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Outputs:
        """Of images ``(n, channels, size, size)`` uint8; they are not resized.

        Raises:
            DataError: If they are of another shape or kind.
        """
        shape = (self.about.channels, self.about.size, self.about.size)
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != shape:
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"{self.protocol}: images must be (n, {str(shape)[1:-1]}) torch.uint8, got {found}")
        # Convolutions on CUDA are in TF32 unless told otherwise, and would differ from those elsewhere.
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            moved = (rows.to(self.device, memory_format=torch.channels_last) for rows in images.split(BATCH))
            features = [self.network.features(rows) for rows in moved]
            logits = [self.network.last(rows) for rows in features]
        return Outputs(torch.cat(logits).cpu(), torch.cat(features).cpu())

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Share of ``images`` whose largest logit is that of their label ``(n,)``."""
        found = self(images).logits.argmax(dim=1)
        return (found == labels.cpu()).double().mean().item()


def classifier(folder: Path, *, file: str) -> Classifier:
    """The classifier of a file.

    Args:
        folder: Where the files lie, ``results/classifiers``.
        file: Name without the ending, as ``shapes10-32-1a2b3c4d``; being the hash of the content, it is part of what
            a run stands for.

    Raises:
        DataError: If there is no such file, or it is not what its name says.
    """
    path = folder / f"{file}{ENDING}"
    about, state = read_file(path)
    return Classifier(file, about, state)
