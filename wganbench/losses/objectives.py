"""Losses that critic and generator minimise, from scores of shape (seeds, batch) to losses of shape (seeds,)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, relu, softplus


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


class Hinge(Wasserstein):
    """The hinge loss of Lim & Ye 2017 and Miyato et al. 2018, eqs. 16 and 17: scores beyond ±1 count no more."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """E max(0, 1 − D(real)) + E max(0, 1 + D(fake)); non-negative, 2 if every score is 0."""
        return (relu(1 - real) + relu(1 + fake)).mean(dim=1)


class RelativisticPaired:
    """RpGAN (Jolicoeur-Martineau 2018; R3GAN, Huang et al. 2024): which of a real and a fake sample is the real one?

    Row i of the real scores is paired with row i of the fake ones; both players need as many of each.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-E log sigmoid(D(real) − D(fake)); non-negative, log 2 if all scores are equal."""
        return softplus(fake - real).mean(dim=1)

    def generator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """-E log sigmoid(D(fake) − D(real)); non-negative, log 2 if all scores are equal."""
        return softplus(real - fake).mean(dim=1)


class RelativisticAverage:
    """RaGAN with the standard GAN's loss (Jolicoeur-Martineau 2018): each score is judged against the others' mean."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-E log sigmoid(D(real) − E D(fake)) − E log(1 − sigmoid(D(fake) − E D(real))); non-negative."""
        of_real, of_fake = (scores.mean(dim=1, keepdim=True) for scores in (real, fake))
        return softplus(of_fake - real).mean(dim=1) + softplus(fake - of_real).mean(dim=1)

    def generator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """The critic's loss with real and fake in each other's place."""
        return self.critic_loss(fake, real)
