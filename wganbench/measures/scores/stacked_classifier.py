"""``stacked_classifier``: a classifier asked for each of the images that are stacked along the channels of one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from wganbench.errors import DataError
from wganbench.measures.scores.classifier import Classifier, classifier
from wganbench.measures.scores.network_outputs import Outputs
from wganbench.measures.scores.protocol import of_stacked

MAX_CLASSES = 10_000
"""The most combinations of classes: each image has a logit for every one."""


class StackedClassifier:
    """The joint classes of stacked images, as a score network: their probabilities are products of the parts' own.

    The class of parts with the classes a, b, c is the number abc to the base of the classifier's number of classes.

    Args:
        network: The classifier of a single part.
    """

    def __init__(self, network: Classifier):
        self.network = network

    @property
    def protocol(self) -> str:
        """The protocol of its scores, such as ``stacked@mnist-28-1a2b3c4d``."""
        return of_stacked(self.network.name)

    @property
    def device(self) -> torch.device:
        return self.network.device

    def to(self, device: torch.device | str) -> StackedClassifier:
        """Moves the network to ``device`` and returns the object itself."""
        self.network.to(device)
        return self

    def __call__(self, images: Tensor) -> Outputs:
        """Computes the outputs for images ``(n, parts · channels, size, size)``, uint8, which are not resized.

        Returns:
            Logits ``(n, classes ** parts)``, the logarithms of the joint probabilities; the features of all parts, one
            after the other.

        Raises:
            DataError: If the images are no stacks of what the classifier reads.
        """
        about = self.network.about
        channels, side, n_parts = about.channels, (about.size, about.size), images.shape[1] // about.channels
        if images.dtype != torch.uint8 or tuple(images.shape[2:]) != side or images.shape[1] % channels or not n_parts:
            shape = f"(n, parts · {channels}, {about.size}, {about.size})"
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"{self.protocol}: images must be {shape} torch.uint8, got {found}")
        if about.classes**n_parts > MAX_CLASSES:
            raise DataError(
                f"{self.protocol}: {n_parts} parts of {about.classes} classes are more than {MAX_CLASSES:,} classes"
            )
        outputs = self.network(images.reshape(-1, channels, *side))
        first, *others = outputs.logits.log_softmax(1).unflatten(0, (-1, n_parts)).unbind(1)
        for other in others:
            first = (first[:, :, None] + other[:, None, :]).flatten(1)
        return Outputs(first, outputs.features.reshape(len(images), -1))


def stacked_classifier(folder: Path, *, file: str) -> StackedClassifier:
    """Loads the classifier of a part from a file; the arguments and errors are those of `classifier.classifier`."""
    return StackedClassifier(classifier(folder, file=file))
