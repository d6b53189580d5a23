"""``classifier``: a score network that the suite trains itself; its scores are never compared with published ones."""

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
    """A trained network with its weights rounded as in its file, so that every load computes with the same weights.

    Attributes:
        name: Name of its file, without the suffix.
        about: Metadata from the file, including the test accuracy.
    """

    def __init__(self, name: str, about: About, state: Mapping[str, Tensor]):
        self.name, self.about = name, about
        with torch.device("meta"):  # draws nothing from torch's global stream
            self.network = Network(about.channels, about.classes, about.width, folded=True)
        self.network.load_state_dict({key: tensor.float() for key, tensor in state.items()}, assign=True)
        self.network.requires_grad_(False).to(memory_format=torch.channels_last)
        self.device = torch.device("cpu")

    @property
    def protocol(self) -> str:
        """The protocol of its scores, such as ``classifier@shapes10-32-1a2b3c4d``: data set, size and file hash."""
        return of_classifier(self.name)

    def to(self, device: torch.device | str) -> Classifier:
        """Moves the network to ``device`` and returns the object itself."""
        self.network.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Outputs:
        """Computes the outputs for images ``(n, channels, size, size)``, uint8, which are not resized.

        Raises:
            DataError: If the images have another shape or dtype.
        """
        shape = (self.about.channels, self.about.size, self.about.size)
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != shape:
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"{self.protocol}: images must be (n, {str(shape)[1:-1]}) torch.uint8, got {found}")
        # By default, convolutions on CUDA use TF32, and would differ from those on other devices.
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            moved = (rows.to(self.device, memory_format=torch.channels_last) for rows in images.split(BATCH))
            features = [self.network.features(rows) for rows in moved]
            logits = [self.network.last(rows) for rows in features]
        return Outputs(torch.cat(logits).cpu(), torch.cat(features).cpu())

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The share of ``images`` whose largest logit is that of their label; ``labels`` has shape ``(n,)``."""
        found = self(images).logits.argmax(dim=1)
        return (found == labels.cpu()).double().mean().item()


def classifier(folder: Path, *, file: str) -> Classifier:
    """Loads the classifier from a file.

    Args:
        folder: Folder of the classifier files, such as ``results/classifiers``.
        file: Name without the suffix, such as ``shapes10-32-1a2b3c4d``; as it contains the hash of the content, a run
            that names it is tied to these weights.

    Raises:
        DataError: If the file does not exist, or its content does not match its name.
    """
    path = folder / f"{file}{ENDING}"
    about, state = read_file(path)
    return Classifier(file, about, state)
