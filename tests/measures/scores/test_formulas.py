import math

import numpy as np
import pytest
import torch

from wganbench.errors import DataError
from wganbench.measures.scores.formulas import frechet_distance, inception_score, kernel_distance


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def score_by_definition(logits, splits):
    """exp(mean KL) of each consecutive part, after the code of Salimans et al., in float64."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    parts = [p[i * len(p) // splits : (i + 1) * len(p) // splits] for i in range(splits)]
    return [np.exp(np.mean(np.sum(part * (np.log(part) - np.log(part.mean(axis=0))), axis=1))) for part in parts]


# ---- Inception score ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "splits"), [(2, 10), (10, 10), (1008, 2)])
@pytest.mark.parametrize("confidence", [50.0, 1e4])
def test_every_class_equally_often_and_surely_scores_the_number_of_classes(classes, splits, confidence):
    logits = confidence * torch.eye(classes).repeat(splits, 1)
    assert inception_score(logits, splits=splits) == pytest.approx((classes, 0.0), abs=1e-6)


@pytest.mark.parametrize("splits", [1, 10])
def test_images_that_are_all_judged_alike_score_one(splits):
    unsure, sure = torch.zeros(100, 10), 1e4 * torch.eye(10)[3].repeat(100, 1)
    for logits in (unsure, sure, normal(1, 10).repeat(100, 1)):
        assert inception_score(logits, splits=splits) == pytest.approx((1.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(("n", "splits"), [(1000, 10), (1003, 10), (7, 7), (50, 1)])
def test_score_is_that_of_the_definition(n, splits):
    logits = 3 * normal(n, 12)
    expected = score_by_definition(logits.numpy(), splits)
    assert inception_score(logits, splits=splits) == pytest.approx((np.mean(expected), np.std(expected)), rel=1e-12)


def test_splits_are_in_order_where_torch_fidelity_shuffles():
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = 50 * torch.eye(10).repeat_interleave(100, dim=0)  # each of ten splits holds one class
    assert inception_score(logits)[0] == pytest.approx(1.0)
    theirs = isc_features_to_metric(logits, splits=10, shuffle=False)
    assert inception_score(logits) == pytest.approx(tuple(theirs.values()))
    assert isc_features_to_metric(logits, splits=10)["inception_score_mean"] > 8


def test_spread_is_over_the_splits_with_their_number_in_the_denominator():
    logits = torch.cat([torch.zeros(10, 4), 50 * torch.eye(4).repeat(5, 1)[:10]])
    ((low, high), (mean, spread)) = score_by_definition(logits.numpy(), 2), inception_score(logits, splits=2)
    assert (mean, spread) == pytest.approx(((low + high) / 2, (high - low) / 2))


def test_a_class_that_gets_nothing_in_float64_is_no_obstacle():
    logits = torch.tensor([[0.0, 0.0, -1e30], [2000.0, 0.0, -2000.0]])
    halves, sure = (math.log(1 / 2 / (3 / 4)) + math.log(1 / 2 / (1 / 4))) / 2, math.log(1 / (3 / 4))
    assert inception_score(logits, splits=1)[0] == pytest.approx(math.exp((halves + sure) / 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_scores_nan(bad):
    logits = torch.zeros(20, 3)
    logits[7, 1] = bad
    assert all(math.isnan(value) for value in inception_score(logits))
    features = normal(20, 3).float()
    features[3, 1] = bad
    for one, other in ((features, normal(20, 3)), (normal(20, 3), features)):
        assert math.isnan(frechet_distance(one, other))
        assert all(math.isnan(value) for value in kernel_distance(one, other, subset_size=10))


@pytest.mark.parametrize("splits", [0, -1, 10])
def test_fewer_samples_than_splits_are_refused(splits):
    with pytest.raises(DataError, match=r"^inception_score, splits: must be 1 to the number of samples \(9\), got "):
        inception_score(torch.zeros(9, 3), splits=splits)


# ---- Fréchet distance -----------------------------------------------------------------------------------------------


def test_distance_of_moved_features_is_the_square_of_the_way():
    features = normal(500, 4)
    way = torch.tensor([3.0, 0.0, -4.0, 0.0])
    assert frechet_distance(features, features + way) == pytest.approx(25.0)


def test_distance_of_stretched_features_is_the_sum_of_squared_differences_of_deviations():
    features, factors = normal(500, 3), torch.tensor([2.0, 0.5, 1.0])
    centred = features - features.mean(dim=0)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(centred.T.cov()), centred.T, upper=False).T
    assert frechet_distance(whitened, whitened * factors) == pytest.approx(1.0**2 + 0.5**2)


def test_distance_is_that_of_the_definition_by_symmetric_roots():
    one, other = normal(300, 6), normal(200, 6, seed=1) @ normal(6, 6, seed=2)
    values, vectors = np.linalg.eigh(np.cov(one, rowvar=False))
    root = vectors * np.sqrt(values) @ vectors.T
    inner = np.linalg.eigvalsh(root @ np.cov(other, rowvar=False) @ root)
    traces = np.trace(np.cov(one, rowvar=False)) + np.trace(np.cov(other, rowvar=False)) - 2 * np.sqrt(inner).sum()
    expected = ((one.mean(dim=0) - other.mean(dim=0)) ** 2).sum().item() + traces
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)


def test_float32_features_give_the_distance_of_the_same_numbers_in_float64():
    one, other = (1000 + normal(5000, 3, seed=seed) for seed in (0, 1))
    one, other = one.float(), other.float()
    assert frechet_distance(one, other) == frechet_distance(one.double(), other.double())


# ---- kernel distance ------------------------------------------------------------------------------------------------


def kernel_distance_by_definition(one, other):
    """Unbiased squared MMD with the kernel (x·y/d + 1)³, over all rows."""
    n, width = one.shape
    of_one, of_other, between = ((a @ b.T / width + 1) ** 3 for a, b in ((one, one), (other, other), (one, other)))
    apart = sum(((kernel.sum() - kernel.trace()) / (n * (n - 1))).item() for kernel in (of_one, of_other))
    return apart - 2 * between.mean().item()


def test_kernel_distance_of_whole_sets_is_that_of_the_definition():
    one, other = normal(40, 5), normal(40, 5, seed=1) + 0.5
    mean, spread = kernel_distance(one, other, subsets=3, subset_size=40)
    assert mean == pytest.approx(kernel_distance_by_definition(one, other))
    assert spread == pytest.approx(0.0, abs=1e-9)


def test_kernel_distance_of_one_distribution_is_about_zero_on_both_sides():
    mean, spread = kernel_distance(normal(2000, 5), normal(2000, 5, seed=1), subsets=50, subset_size=100)
    assert abs(mean) < spread
    assert kernel_distance(normal(2000, 5), normal(2000, 5, seed=1) + 1, subsets=5, subset_size=100)[0] > 10 * spread


@pytest.mark.parametrize(
    ("distance", "fake", "real", "message"),
    [
        (frechet_distance, (1, 3), (5, 3), "at least 2 generated images, got 1"),
        (frechet_distance, (5, 3), (1, 3), "at least 2 real images, got 1"),
        (frechet_distance, (5, 3), (5, 4), "as many features, got 3 and 4"),
        (kernel_distance, (999, 3), (1000, 3), "at least 1,000 generated images, got 999"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(distance, fake, real, message):
    with pytest.raises(DataError, match=message):
        distance(torch.zeros(fake), torch.zeros(real))
