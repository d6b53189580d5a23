"""Losses that critic and generator minimise, from scores of shape (seeds, batch) to losses of shape (seeds,)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of an auxiliary classifier (AC-GAN; Odena et al. 2017), ``(seeds,)``; non-negative, in nats.

    Args:
        logits: Shape ``(seeds, batch, classes)``.
        labels: Shape ``(seeds, batch)``, int64, from 0.
    """
    each = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.unflatten(0, labels.shape).mean(dim=1)


class Minimax:
    """The saturating game of Goodfellow et al. 2014: the generator minimises E log(1 − D(fake)).

    Scores are logits: ``-log sigmoid(s) = softplus(-s)``, ``-log(1 - sigmoid(s)) = softplus(s)``.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-E log D(real) − E log(1 − D(fake)); non-negative, 2 log 2 if the discriminator cannot tell them apart."""
        return (softplus(-real) + softplus(fake)).mean(dim=1)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """E log(1 − D(fake)); non-positive; its gradient vanishes where the discriminator is certain."""
        return -softplus(fake).mean(dim=1)


class NonSaturating(Minimax):
    """The variant that the papers train as "standard GAN": the generator minimises −E log D(fake)."""

    def generator_loss(self, fake: Tensor) -> Tensor:
        """-E log D(fake); non-negative."""
        return softplus(-fake).mean(dim=1)


class LeastSquares:
    """LSGAN with targets real 1, fake 0 and a halved discriminator loss (Gulrajani et al., official code)."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """(E (D(real) − 1)² + E D(fake)²) / 2; non-negative."""
        return ((real - 1).square() + fake.square()).mean(dim=1) / 2

    def generator_loss(self, fake: Tensor) -> Tensor:
        """E (D(fake) − 1)²; non-negative."""
        return (fake - 1).square().mean(dim=1)


class Wasserstein:
    """The critic maximises E f(real) − E f(fake) (Arjovsky et al. 2017, eq. 3); both losses here are minimised."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """E f(fake) − E f(real), the negative Wasserstein estimate; unbounded without a Lipschitz constraint."""
        return fake.mean(dim=1) - real.mean(dim=1)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """-E f(fake)."""
        return -fake.mean(dim=1)
