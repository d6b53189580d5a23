"""Scores as a spec names them, of the images of one moment as the setting's score network sees them."""

from __future__ import annotations

from wganbench.measures.scores import formulas
from wganbench.measures.scores.network_outputs import Seen


def inception_score(seen: Seen, *, samples: int = 50_000, splits: int = 10) -> float:
    """Mean Inception score over consecutive splits of the generated images; `formulas.inception_score`.

    Args:
        seen: Generated images before the score network.
        samples: How many of them; scores of different numbers are not compared (1,000 in 10 splits is far below).
        splits: Into how many consecutive parts they go.

    Returns:
        1 to the number of classes, higher is better; NaN if an image is not finite.

    Raises:
        DataError: If there are fewer samples than splits.
    """
    return formulas.inception_score(seen.outputs(samples).logits, splits=splits)[0]


def inception_score_spread(seen: Seen, *, samples: int = 50_000, splits: int = 10) -> float:
    """Standard deviation of the Inception score over its splits: the published ±, which is not one over runs.

    Args:
        seen, samples, splits: As for ``inception_score``.

    Returns:
        At least 0; NaN if an image is not finite.
    """
    return formulas.inception_score(seen.outputs(samples).logits, splits=splits)[1]


def real_inception_score(seen_real: Seen, *, samples: int = 50_000, splits: int = 10) -> float:
    """Inception score of the data set's own training images: what a generator of the data set itself would score.

    Where consecutive images hold the classes in more equal numbers than chance does, as in shapes10, whose classes come
    in turn, it is somewhat higher than of as many images in random order.

    Args:
        seen_real: The training images before the score network, in an order in which any first of them stand for all.
        samples, splits: As for ``inception_score``.

    Returns:
        1 to the number of classes.

    Raises:
        DataError: If there are fewer images than ``samples``, or than splits.
    """
    return formulas.inception_score(seen_real.outputs(samples).logits, splits=splits)[0]


def frechet_distance(seen: Seen, seen_real: Seen, *, samples: int = 50_000) -> float:
    """Fréchet distance between generated and real images; `formulas.frechet_distance`.

    Args:
        seen: Generated images before the score network.
        seen_real: The data set's training images before it, in an order in which any first of them stand for all.
        samples: How many of each.

    Returns:
        Squared feature units, lower is better; NaN if an image is not finite.
    """
    return formulas.frechet_distance(seen.outputs(samples).features, seen_real.outputs(samples).features)


def kernel_distance(
    seen: Seen, seen_real: Seen, *, samples: int = 50_000, subsets: int = 100, subset_size: int = 1000
) -> float:
    """Mean kernel distance between generated and real images; `formulas.kernel_distance`.

    Args:
        seen, seen_real, samples: As for ``frechet_distance``.
        subsets: How many pairs of subsets are drawn.
        subset_size: Images of each.

    Returns:
        Lower is better, about 0 for images that cannot be told apart; NaN if an image is not finite.
    """
    fake, real = (each.outputs(samples).features for each in (seen, seen_real))
    return formulas.kernel_distance(fake, real, subsets=subsets, subset_size=subset_size)[0]
