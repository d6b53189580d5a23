"""The accuracy of the critic's auxiliary classifier."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor


@torch.no_grad()
def class_accuracy(
    classify: Callable[[Tensor], Tensor],
    real: Tensor,
    real_labels: Tensor,
    fake: Tensor,
    fake_labels: Tensor,
    *,
    of: Literal["real", "fake"] = "real",
) -> float:
    """The share of images that the critic's auxiliary classifier labels correctly (AC-GAN; Gulrajani et al., § 5.4).

    Args:
        classify: Maps images to logits, ``(n, classes)``.
        real, fake: Shape ``(n, channels, height, width)`` each.
        real_labels: Labels from the data set; ``(n,)``, from 0.
        fake_labels: Labels given to the generator; ``(n,)``, from 0.
        of: Which images to classify.

    Returns:
        0 to 1, higher is better; chance is one over the number of classes. NaN if an image is not finite.
    """
    images, labels = (real, real_labels) if of == "real" else (fake, fake_labels)
    if not images.isfinite().all():
        return math.nan
    return (classify(images).argmax(dim=1) == labels).double().mean().item()
