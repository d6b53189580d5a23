"""The classes of stacked images are those of their parts together, and the divergence of classes is known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wganbench.data.images import Images
from wganbench.errors import DataError
from wganbench.measures.image_scores import class_kl, class_kl_floor, classes_covered
from wganbench.measures.scores.network_outputs import NetworkOutputs, Outputs, images_in_batches
from wganbench.measures.scores.stacked_classifier import StackedClassifier
from wganbench.runner.resolve import score
from wganbench.spec import Component, load, scale_of


class Greys:
    """A classifier of three classes of grey 2×2 images: the level is the class; it gives 0.8 to it, 0.1 to others."""

    name = "greys-2-00000000"
    about = SimpleNamespace(channels=1, size=2, classes=3)

    def __call__(self, images):
        one_hot = torch.eye(3)[images[:, 0, 0, 0].long()]
        return Outputs((0.1 + 0.7 * one_hot).log() + 5, one_hot)


def stack(*levels):
    return torch.tensor(levels, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 2, 2)


def test_the_joint_probability_is_the_product_of_the_parts_and_the_class_their_number():
    images = stack([2, 0, 1], [0, 0, 2])
    outputs = StackedClassifier(Greys())(images)
    joint = outputs.logits.exp().view(2, 3, 3, 3)
    assert outputs.logits.argmax(1).tolist() == [2 * 9 + 0 * 3 + 1, 2]
    assert joint[0, 2, 0, 1].item() == pytest.approx(0.8**3)
    assert joint[0, 2, 1, 0].item() == pytest.approx(0.8 * 0.1 * 0.1)
    assert joint.sum((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert outputs.features.tolist() == [[0, 0, 1, 1, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0, 0, 0, 1]]


def test_a_stack_of_one_is_the_classifier_itself():
    file = {"file": "shapes10-16-8c9f1cc8"}
    stacked, alone = (
        score(Component.resolve("score", {"name": n, **file})) for n in ("stacked_classifier", "classifier")
    )
    images = torch.randint(256, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.allclose(stacked(images).logits, alone(images).logits.log_softmax(1))
    assert torch.equal(stacked(images).features, alone(images).features)
    assert stacked.protocol == "stacked@shapes10-16-8c9f1cc8" and stacked.to("cpu") is stacked


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (
            torch.zeros(4, 3, 4, 4, dtype=torch.uint8),
            r"\(n, parts · 1, 2, 2\) torch.uint8, got \(4, 3, 4, 4\) torch.uint8$",
        ),
        (torch.zeros(4, 3, 2, 2), r"\(n, parts · 1, 2, 2\) torch.uint8, got \(4, 3, 2, 2\) torch.float32$"),
        (torch.zeros(4, 9, 2, 2, dtype=torch.uint8), "9 parts of 3 classes are more than 10,000 classes"),
    ],
)
def test_images_of_another_size_or_too_many_parts_are_one_line(images, said):
    with pytest.raises(DataError, match=f"^stacked@greys-2-00000000: .*{said}"):
        StackedClassifier(Greys())(images)


# ---- the divergence of classes --------------------------------------------------------------------------------------


def labelled(labels):
    return Images("greys", torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), torch.tensor(labels), "0" * 64)


def seen(*levels):
    return NetworkOutputs(StackedClassifier(Greys()), images_in_batches(stack(*levels)))


def test_the_divergence_is_from_the_frequencies_of_the_data():
    data = labelled([0] * 5 + [1] * 3 + [2] * 2)
    levels = [[0]] * 4 + [[1]] * 4 + [[2]] * 2
    expected = 0.4 * math.log(0.4 / 0.5) + 0.4 * math.log(0.4 / 0.3)
    assert class_kl(seen(*levels), data, samples=10) == pytest.approx(expected)
    assert class_kl(seen(*levels), data, samples=4) == pytest.approx(math.log(2))  # all of class 0
    assert class_kl(seen(*levels), labelled([0, 1]), samples=10) == math.inf
    assert classes_covered(seen(*levels), samples=9, share=0.001) == 3


def test_a_data_set_of_more_classes_is_refused_and_images_that_are_not_finite_have_no_divergence():
    with pytest.raises(DataError, match=r"^class_kl: greys has 4 classes and stacked@greys-2-0+ tells 3; take"):
        class_kl(seen([0]), labelled([3]), samples=1)
    network = NetworkOutputs(StackedClassifier(Greys()), lambda n: [torch.full((n, 1, 2, 2), math.nan)])
    assert math.isnan(class_kl(network, labelled([0, 1, 2]), samples=3))


def test_the_floor_is_what_a_perfect_sampler_has():
    """Of 2,600 samples the chi-square approximation is 0.192, a tenth below."""
    labels = np.repeat(np.arange(1000), 64 + np.arange(1000) * 128 // 1000)  # the last class is thrice as frequent
    q = np.bincount(labels) / len(labels)
    p = np.random.default_rng(0).multinomial(2600, q, size=400) / 2600
    simulated = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / q), 0).sum(1)
    exact = class_kl_floor(labelled(labels.tolist()), samples=2600)
    assert exact == pytest.approx(simulated.mean(), abs=4 * simulated.std() / 20)
    assert exact > 1.1 * 999 / 5200


def test_of_1000_modes_and_26_000_samples_it_is_half_the_chi_square_and_a_little_more():
    floor = class_kl_floor(labelled(list(range(1000))), samples=26_000)
    n = 26_000
    assert floor == pytest.approx(999 / (2 * n) + (1000**2 - 1) / (12 * n**2), abs=1e-5)  # the next term of the series
    assert floor == pytest.approx(0.0193, abs=5e-5)


def test_a_diverged_run_scores_as_if_all_its_images_were_of_one_mode():
    setting = load("stacked-mnist").setting("gan", "paper")
    assert scale_of(setting.measures["kl"], setting.data).worst == pytest.approx(math.log(1000))
    assert scale_of(setting.measures["modes"], setting.data).worst == 0
