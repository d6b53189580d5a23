import math

import pytest
import torch

from wganbench.measures.critic import class_accuracy, held_out_estimate, wasserstein_estimate

REAL, FAKE = torch.tensor([(1.0, 0.0), (3.0, 9.0)]), torch.tensor([(1.0, 5.0), (0.0, 5.0), (-4.0, 5.0)])


@pytest.mark.parametrize("slope", [-2.0, 0.0, 3.0])
def test_a_linear_critic_sees_the_distance_of_the_means_with_its_sign(slope):
    estimate = wasserstein_estimate(lambda x: 7 + slope * x[:, 0], REAL, FAKE)
    assert estimate == pytest.approx(slope * 3)  # means 2 and −1


def test_the_estimate_keeps_no_graph():
    layer = torch.nn.Linear(2, 1)
    seen = []

    def critic(x):
        seen.append(layer(x).flatten())
        return seen[-1]

    assert isinstance(wasserstein_estimate(critic, REAL, FAKE), float)
    assert [score.requires_grad for score in seen] == [False, False]


def test_a_small_gap_on_large_scores_is_not_rounded_away():
    n = 100_001
    scores = torch.full((n,), 4096.0)
    scores[0] += 1.0
    real, fake = torch.stack([scores, scores], dim=1), torch.full((n, 2), 4096.0)
    assert wasserstein_estimate(lambda x: x[:, 0], real, fake) == pytest.approx(1 / n, rel=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_measure_nan_even_if_the_critic_hides_them(value):
    fake = FAKE.clone()
    fake[1, 0] = value
    assert math.isnan(wasserstein_estimate(lambda x: x[:, 0].clamp(-1, 1).nan_to_num(), REAL, fake))


# ---- the auxiliary classifier ----------------------------------------------------------------------------------------


def classify(x):
    """Logits of three classes, the largest where the pixel says."""
    return torch.eye(3)[x.flatten().long()]


def cells(*values):
    return torch.tensor([float(value) for value in values]).view(-1, 1, 1, 1)


REAL_IMAGES, FAKE_IMAGES = (cells(0, 1, 2, 0), torch.tensor([0, 1, 2, 1])), (cells(2, 2), torch.tensor([0, 1]))


@pytest.mark.parametrize(("of", "share"), [("real", 0.75), ("fake", 0.0)])
def test_it_is_the_share_of_labels_that_are_told(of, share):
    assert class_accuracy(classify, *REAL_IMAGES, *FAKE_IMAGES, of=of) == share


def test_images_that_are_not_finite_have_none():
    broken = REAL_IMAGES[0].clone()
    broken[1] = math.nan
    assert math.isnan(class_accuracy(classify, broken, REAL_IMAGES[1], *FAKE_IMAGES, of="real"))
    assert class_accuracy(classify, broken, REAL_IMAGES[1], *FAKE_IMAGES, of="fake") == 0.0


def test_the_held_out_estimate_is_the_gap_of_images_that_were_not_trained_on():
    assert held_out_estimate(lambda x: x[:, 0], REAL + 1, FAKE) == pytest.approx(4)  # means 3 and −1
