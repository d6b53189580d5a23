"""Runs with classes from a spec to records, and folders whose classes are not the networks'."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.runner.test_run_all import execute
from wganbench.data import shapes10
from wganbench.errors import DataError
from wganbench.measures.scores.sampling import BATCH
from wganbench.records.store import Store
from wganbench.runner.artefacts import GAP
from wganbench.runner.build import make_trainer
from wganbench.runner.evaluation import Evaluator, Inputs
from wganbench.runner.trace import Trace
from wganbench.spec import load

SPEC = """
version = 1
title = "small images with classes"
source = "a test"
steps = 2
batch_size = 4
generator_batch_size = 8
latent_dim = 3
measured_samples = 130
stack = 2
data = { name = "shapes10", size = 8 }
objective = "wasserstein"
constraint = "gradient_penalty"
auxiliary_classifier = { critic = 1.0, generator = 0.1 }
generator = { name = "resnet_generator", dim = 2, norm_batches = 2, classes = 10 }
critic = { name = "resnet_critic", dim = 2, classes = 10 }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
wasserstein_estimate = { points = 1 }
told_real = { name = "class_accuracy", of = "real", points = 1 }
told_fake = { name = "class_accuracy", of = "fake", points = 1 }
[profiles.smoke]
says = "2 steps"
[variants.gp]
"""
SCORED = SPEC.replace("size = 8", "size = 16").replace(
    "[measures]",
    'score = { name = "classifier", file = "shapes10-16-8c9f1cc8" }\n[measures]\n'
    "inception_score = { samples = 20, splits = 2, points = 1 }\n",
)
CPU = torch.device("cpu")


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    found = tmp_path / "classed.toml"
    found.write_text(SPEC)
    return found


def observed(path, **changes):
    """An observer at its last step, a trainer that it looks at, and the inputs that it gives for seed 5."""
    setting = load(path).setting("gp", "smoke").model_copy(update=changes)
    trainer = make_trainer(setting, (3, 5), CPU)
    evaluator = Evaluator(setting, (3, 5), CPU, [Trace(), Trace()])
    return trainer, Inputs(evaluator, trainer, lambda: None, 1, 2)


def test_a_run_tells_how_many_labels_its_critic_tells(path, tmp_path):
    records = execute(path, Store(tmp_path / "results"), seeds=[0, 1])
    assert [record.status for record in records] == ["finished"] * 2, records[0].note
    for record in records:
        assert all(0 <= record.measures[label] <= 1 for label in ("told_real", "told_fake"))


def test_real_images_are_measured_with_their_labels(path):
    trainer, given = observed(path)
    assert given["real"].shape == (130, 3, 8, 8)
    for image, label in list(zip(given["real"], given["real_labels"], strict=True))[:20]:
        stored = 2 * (trainer.data.pixels.float() / 255 - 0.5)
        (place,) = (stored == image).flatten(1).all(1).nonzero()[0]
        assert trainer.data.labels[place] == label


def test_fake_images_are_made_of_their_labels_a_hundred_at_a_time(path):
    """With the statistics of all of these: made in halves, or of other labels, they would be others."""
    trainer, given = observed(path)
    with torch.no_grad():
        for tensor in trainer.generator.parameters.values():
            tensor.add_(torch.randn_like(tensor) / 2)
    made, labels = given["fake"], given["fake_labels"]
    assert made.shape == (130, 3, 8, 8) and labels.shape == (130,)
    assert labels.unique().tolist() == list(range(10))
    sizes = []
    generate = trainer.generator.of_seed(1)

    def spy(z, asked):
        sizes.append(len(z))
        return generate(z, asked)

    trainer.generator.of_seed = lambda index: spy
    (first, second) = given.batches("measured")(130)
    assert sizes == [BATCH, BATCH]
    assert torch.equal(torch.cat([first, second]), made)
    swapped = labels[:BATCH].roll(1)
    latent = torch.randn(BATCH, 3, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(generate(latent, labels[:BATCH]), generate(latent, swapped), atol=1e-3)


def test_a_critic_that_is_asked_about_many_images_sees_them_in_batches(path):
    trainer, given = observed(path)
    x = given["real"]
    scores, logits = trainer.critic.module_of_seed(1)(x, with_logits=True)
    torch.testing.assert_close(given["critic"](x), scores)
    torch.testing.assert_close(given["classify"](x), logits)


def test_a_grid_has_a_class_a_column(path, tmp_path, monkeypatch):
    path.write_text(SCORED)
    asked = []
    original = Evaluator._keep_grid

    def keep(self, trainer, index):
        generate = trainer.generator.of_seed(index)
        with monkeypatch.context() as patched:
            patched.setattr(
                trainer.generator, "of_seed", lambda i: lambda z, labels: (asked.append(labels), generate(z, labels))[1]
            )
            original(self, trainer, index)

    monkeypatch.setattr(Evaluator, "_keep_grid", keep)
    store = Store(tmp_path / "results")
    (record,) = execute(path, store, seeds=[0])
    assert record.status == "finished", record.note
    sheet = np.asarray(Image.open(io.BytesIO(store.artefact(record, record.artefacts[0]))))
    assert sheet.shape == (8 * (16 + GAP) - GAP, 10 * (16 + GAP) - GAP, 3)
    assert [labels.tolist() for labels in asked] == [[column for _ in range(10) for column in range(10)]]


def test_a_folder_of_other_classes_is_refused_before_any_training(path, tmp_path):
    for number, name in enumerate(("cat", "dog", "owl")):
        for copy in range(2):
            place = tmp_path / "data" / "pets" / name / f"{copy}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 40 * number + copy, np.uint8)).save(place)
    path.write_text(SPEC.replace('"shapes10", size = 8', '"image_folder", folder = "pets", size = 8'))
    with pytest.raises(DataError) as caught:
        execute(path, Store(tmp_path / "results"), seeds=[0])
    said = "pets: has labels from 0 to 2, and the networks have 10 classes; must be as many"
    assert str(caught.value) == said
    assert not (tmp_path / "results").exists()
    path.write_text(path.read_text().replace("classes = 10", "classes = 3"))
    (record,) = execute(path, Store(tmp_path / "results"), seeds=[0])
    assert record.status == "finished", record.note
