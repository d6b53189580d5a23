import math

import pytest
import torch

from wganbench.measures.classes import class_accuracy


def classify(x):
    """Logits of three classes, the largest where the pixel says."""
    return torch.eye(3)[x.flatten().long()]


def cells(*values):
    return torch.tensor([float(value) for value in values]).view(-1, 1, 1, 1)


REAL, FAKE = (cells(0, 1, 2, 0), torch.tensor([0, 1, 2, 1])), (cells(2, 2), torch.tensor([0, 1]))


@pytest.mark.parametrize(("of", "share"), [("real", 0.75), ("fake", 0.0)])
def test_it_is_the_share_of_labels_that_are_told(of, share):
    assert class_accuracy(classify, *REAL, *FAKE, of=of) == share


def test_images_that_are_not_finite_have_none():
    broken = REAL[0].clone()
    broken[1] = math.nan
    assert math.isnan(class_accuracy(classify, broken, REAL[1], *FAKE, of="real"))
    assert class_accuracy(classify, broken, REAL[1], *FAKE, of="fake") == 0.0
