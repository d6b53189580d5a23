"""The critic's own estimate of the distance between real and fake, and the accuracy of its auxiliary classifier."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor


@torch.no_grad()
def wasserstein_estimate(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> float:
    """The critic's gap, E f(real) − E f(fake), without penalty (Arjovsky et al. 2017, Algorithm 1).

    Args:
        critic: Maps ``(n, 2)`` to ``(n,)``.
        real, fake: Shape ``(n, 2)`` each; the two n may differ.

    Returns:
        Any sign, in the units of the samples times the critic's unknown Lipschitz constant, so comparable only under
        the same constraint; lower is better: the critic separates the two less. NaN if a fake sample is not finite.
    """
    if not fake.isfinite().all():  # a ReLU can hide non-finite values
        return math.nan
    return (critic(real).double().mean() - critic(fake).double().mean()).item()


def held_out_estimate(critic: Callable[[Tensor], Tensor], held_out: Tensor, fake: Tensor) -> float:
    """The critic's gap between real samples that it was not trained on and fakes; see `wasserstein_estimate`.

    Gulrajani et al. 2017 (figure 5) watch a critic overfit by the same difference: the two estimates part.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``.
        held_out: Images of the data set's held-out part, ``(n, *sample_shape)``.
        fake: Shape ``(n, *sample_shape)``.

    Returns:
        As `wasserstein_estimate`, and in its unit.
    """
    return wasserstein_estimate(critic, held_out, fake)


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
