"""A classifier of striped images."""

from dataclasses import replace

import pytest
import torch

from tests.measures.scores.striped import striped
from wganbench.measures.scores.train_classifier import RECIPES, train_classifier


@pytest.fixture(scope="session")
def stripes():
    """Training and test images."""
    return striped(768, 0), striped(300, 1)


@pytest.fixture(scope="session")
def trained(stripes):
    """A classifier of stripes, and the content of its file."""
    torch.set_num_threads(1)
    return train_classifier(*stripes, replace(RECIPES["drawn"], accuracy=0.9, epochs=3))


@pytest.fixture
def file(trained, tmp_path):
    """The path of its file."""
    classifier, content = trained
    path = tmp_path / f"{classifier.name}.safetensors"
    path.write_bytes(content)
    return path
