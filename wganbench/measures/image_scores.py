"""Image scores under the names used in specs, computed from the outputs of the score network at one step."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import Tensor

from wganbench.data.images import Images
from wganbench.errors import DataError
from wganbench.measures.scores import formulas
from wganbench.measures.scores.network_outputs import NetworkOutputs


def inception_score(seen: NetworkOutputs, *, samples: int = 50_000, splits: int = 10) -> float:
    """The mean Inception score over consecutive splits of the generated images; see `formulas.inception_score`.

    Args:
        seen: The score network's outputs for the generated images.
        samples: Number of images; scores of different numbers are not compared (1,000 in 10 splits score far lower).
        splits: Number of consecutive parts.

    Returns:
        1 to the number of classes, higher is better; NaN if an image is not finite.

    Raises:
        DataError: If there are fewer samples than splits.
    """
    return formulas.inception_score(seen.outputs(samples).logits, splits=splits)[0]


def inception_score_spread(seen: NetworkOutputs, *, samples: int = 50_000, splits: int = 10) -> float:
    """The standard deviation of the Inception score over its splits: the published ±, which is not one over runs.

    Args:
        seen, samples, splits: As for ``inception_score``.

    Returns:
        At least 0; NaN if an image is not finite.
    """
    return formulas.inception_score(seen.outputs(samples).logits, splits=splits)[1]


def real_inception_score(seen_real: NetworkOutputs, *, samples: int = 50_000, splits: int = 10) -> float:
    """The Inception score of the data set's training images: the score of a generator that reproduces the data set.

    If consecutive images are spread over the classes more evenly than by chance, as in shapes10, whose classes
    alternate, the score is somewhat higher than for as many images in random order.

    Args:
        seen_real: The score network's outputs for the training images, ordered so that the first n, for any n, are a
            fair sample of all.
        samples, splits: As for ``inception_score``.

    Returns:
        1 to the number of classes.

    Raises:
        DataError: If there are fewer images than ``samples``, or than splits.
    """
    return formulas.inception_score(seen_real.outputs(samples).logits, splits=splits)[0]


def frechet_distance(seen: NetworkOutputs, seen_real: NetworkOutputs, *, samples: int = 50_000) -> float:
    """The Fréchet distance between generated and real images; see `formulas.frechet_distance`.

    Args:
        seen: The score network's outputs for the generated images.
        seen_real: Its outputs for the training images, ordered so that the first n, for any n, are a fair sample of
            all.
        samples: Number of images of each kind.

    Returns:
        Squared feature units, lower is better; NaN if an image is not finite.
    """
    return formulas.frechet_distance(seen.outputs(samples).features, seen_real.outputs(samples).features)


def kernel_distance(
    seen: NetworkOutputs,
    seen_real: NetworkOutputs,
    *,
    samples: int = 50_000,
    subsets: int = 100,
    subset_size: int = 1000,
) -> float:
    """The mean kernel distance between generated and real images; see `formulas.kernel_distance`.

    Args:
        seen, seen_real, samples: As for ``frechet_distance``.
        subsets: Number of pairs of subsets that are drawn.
        subset_size: Number of images per subset.

    Returns:
        Lower is better, about 0 for indistinguishable images; NaN if an image is not finite.
    """
    fake, real = (each.outputs(samples).features for each in (seen, seen_real))
    return formulas.kernel_distance(fake, real, subsets=subsets, subset_size=subset_size)[0]


def classes_covered(seen: NetworkOutputs, *, samples: int = 2000, share: float = 0.25) -> float:
    """The number of classes that get their share of the generated images, as the score network classifies them.

    Args:
        seen: The score network's outputs for the generated images.
        samples: Number of images.
        share: Fraction of an equal part, ``samples / classes``, from which on a class counts.

    Returns:
        0 to the number of classes, higher is better; NaN if an image is not finite.
    """
    logits = seen.outputs(samples).logits
    if not logits.isfinite().all():
        return math.nan
    classes = logits.shape[1]
    counts = torch.bincount(logits.argmax(1), minlength=classes)
    return float((counts >= share * samples / classes).sum())


def class_kl(seen: NetworkOutputs, data: Images, *, samples: int = 2000) -> float:
    """The KL divergence of the generated images' classes from those of the data set (Srivastava et al. 2017, VEEGAN).

    The formula is ``Σ p log(p / q)``: p is the share of a class among the generated images, as the score network
    classifies them; q is its share among the labels of the data set, where Lin et al. (2018, PacGAN) have equal shares.
    Of n samples with K classes, a perfect generator has about (K − 1)/2n; see `class_kl_floor`.

    Args:
        seen: The score network's outputs for the generated images.
        data: The data set, whose labels are the network's classes.
        samples: Number of images; divergences of different numbers are not compared.

    Returns:
        Nats, lower is better: 0 to log(1/q) for the rarest class. Infinite if an image is of a class that the data set
        lacks; NaN if an image is not finite.

    Raises:
        DataError: If the data set has more classes than the score network.
    """
    logits = seen.outputs(samples).logits
    classes, weights = logits.shape[1], _weights(data, logits.shape[1])
    if len(weights) > classes:
        known = f"{len(weights):,} classes and {seen.network.protocol} tells {classes:,}"
        raise DataError(f"class_kl: {data.name} has {known}; take a classifier of its classes")
    if not logits.isfinite().all():
        return math.nan
    share = torch.bincount(logits.argmax(1), minlength=classes).double() / samples
    return float((torch.xlogy(share, share) - torch.xlogy(share, weights)).sum())


def class_kl_floor(data: Images, *, samples: int = 2000) -> float:
    """The expectation of `class_kl` for a perfect generator, whose classes are drawn as the labels of the data set are.

    It is exact: for a class of weight q, the number among n images is binomial, and ``E[p log(p / q)]`` is
    ``q E[log((1 + Y) / (n q))]`` with Y binomial for n − 1 images.

    Args:
        data: The data set.
        samples: Number of images, n.

    Returns:
        Nats, at least 0; about (K − 1)/2n for K classes that are not rare, which is 0.0193 for 1,000 classes and 26,000
        images.
    """
    weights, n_classes = np.unique(_weights(data, data.n_classes).numpy(), return_counts=True)
    ahead = np.arange(samples)
    terms = [q * (binom.pmf(ahead, samples - 1, q) * np.log((1 + ahead) / (samples * q))).sum() for q in weights if q]
    return float((n_classes[weights > 0] * terms).sum())


def _weights(data: Images, classes: int) -> Tensor:
    """The share of each class among the labels of a data set, float64, on the CPU; ``(classes,)``, or longer."""
    return torch.bincount(data.labels.cpu(), minlength=classes).double() / len(data)


def class_shares(seen: NetworkOutputs, *, samples: int = 2000) -> NDArray[np.float64]:
    """The picture of the classes: the share of each among the generated images, as the score network classifies them.

    Args:
        seen: The score network's outputs for the generated images.
        samples: Number of images.

    Returns:
        Shape ``(classes,)``; shares sum to 1. All NaN if an image is not finite.
    """
    logits = seen.outputs(samples).logits
    classes = logits.shape[1]
    if not logits.isfinite().all():
        return np.full(classes, math.nan)
    return (torch.bincount(logits.argmax(1), minlength=classes).double() / len(logits)).numpy()


def mean_confidence(seen: NetworkOutputs, *, samples: int = 2000) -> float:
    """The mean over generated images of the largest class probability: low where images are hazy.

    Args:
        seen: The score network's outputs for the generated images.
        samples: Number of images.

    Returns:
        One over the number of classes, to 1, higher is better; NaN if an image is not finite.
    """
    return float(seen.outputs(samples).logits.double().softmax(1).amax(1).mean())
