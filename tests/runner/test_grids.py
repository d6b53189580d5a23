"""The grid of generated images that each run keeps where a network scores them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.measures.scores.imaged import CLASSIFIER, SPEC
from tests.runner.test_run_all import execute
from wganbench.cli import cli
from wganbench.data import shapes10
from wganbench.measures.scores.classifier import Classifier
from wganbench.measures.scores.sampling import BATCH
from wganbench.records.store import Store
from wganbench.records.verify import verify
from wganbench.rng import generator
from wganbench.runner.artefacts import GAP
from wganbench.runner.build import make_trainer
from wganbench.runner.checkpoint import Checkpoints
from wganbench.runner.evaluation import Evaluator
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution
from wganbench.runner.trace import Trace

EXECUTION = Execution(device="cpu", stack=2, threads=1, checkpoint_seconds=0.0)
CPU = torch.device("cpu")


@pytest.fixture
def imaged(tmp_path, monkeypatch):
    """The path of a spec of images."""
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    path = tmp_path / "imaged.toml"
    path.write_text(SPEC)
    return path


def train(path, store, **about):
    return execute(path, store, [0, 1], ["gp"], **{"execution": EXECUTION, **about})


def kept(store, record):
    return {artefact.file: store.artefact(record, artefact) for artefact in record.artefacts}


def cells(content):
    """The 64 images of a grid, shape (64, 16, 16, 3)."""
    sheet = np.asarray(Image.open(io.BytesIO(content)))
    step = 16 + GAP
    assert sheet.shape == (8 * step - GAP, 8 * step - GAP, 3)
    return np.stack([sheet[i * step :, j * step :][:16, :16] for i in range(8) for j in range(8)])


def names(record):
    """Names of a record's artefacts, with a word in the place of the first digits of their content's hash."""
    return [artefact.file.replace(artefact.sha256[:8], "HASH") for artefact in record.artefacts]


def test_every_seed_keeps_a_grid_of_its_own_images(imaged, tmp_path):
    store = Store(tmp_path / "results")
    records = train(imaged, store)
    files = [kept(store, record) for record in records]
    assert [names(record) for record in records] == [[f"artefacts/{record.id}-HASH.png"] for record in records]
    first, second = (cells(content) for each in files for content in each.values())
    assert not np.array_equal(first, second)
    assert len(np.unique(first, axis=0)) == 64


@pytest.mark.parametrize("overrides", [[], ["generator_average=0.5", "generator_optimizer.lr=0.1"]])
def test_a_grid_is_of_the_last_step_and_in_whole_numbers_as_they_are_scored(imaged, tmp_path, overrides):
    store = Store(tmp_path / "results")
    record = train(imaged, store, overrides=overrides)[0]
    trainer = make_trainer(record.setting, [0], CPU)
    for _ in range(record.setting.steps):
        trainer.step()
    latent = torch.randn(BATCH, 3, generator=generator(0, "grid latent"))
    with torch.no_grad():
        made = (trainer.average or trainer.generator).of_seed(0)(latent)[:64]
    expected = ((made + 1) * (255.99 / 2)).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    (content,) = kept(store, record).values()
    assert np.abs(cells(content).astype(int) - expected.numpy().astype(int)).max() <= 1  # trained beside another seed


def test_a_grid_moves_no_number(imaged, tmp_path, monkeypatch):
    with_grids = train(imaged, Store(tmp_path / "a"))
    monkeypatch.setattr(Evaluator, "_keep_grid", lambda self, trainer, index: None)
    without = train(imaged, Store(tmp_path / "b"))
    assert [record.curves for record in with_grids] == [record.curves for record in without]
    assert [len(record.artefacts) for record in [*with_grids, *without]] == [1, 1, 0, 0]


def train_until_two(path, store, monkeypatch):
    """Trains until step 2, and stops."""
    stop, save = Stop(), Checkpoints.save

    def saved(self, checkpoint):
        save(self, checkpoint)
        stop.ask("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", saved)
        assert train(path, store, stop=stop) == []


def test_stopped_and_gone_on_with_a_run_ends_in_the_same_grid(imaged, tmp_path, monkeypatch):
    whole, halted, events = Store(tmp_path / "a"), Store(tmp_path / "b"), []
    expected = [kept(whole, record) for record in train(imaged, whole)]
    train_until_two(imaged, halted, monkeypatch)
    records = train(imaged, halted, on_event=events.append)
    assert [event["step"] for event in events if event["event"] == "start"] == [2]
    assert not [event for event in events if event["event"] == "warning"]
    assert [kept(halted, record) for record in records] == expected


def test_scores_by_another_network_than_before_the_stop_start_from_scratch(imaged, tmp_path, monkeypatch):
    whole, halted, events = Store(tmp_path / "a"), Store(tmp_path / "b"), []
    expected = [record.curves for record in train(imaged, whole)]
    train_until_two(imaged, halted, monkeypatch)
    monkeypatch.setattr(Classifier, "protocol", "classifier@other")
    records = train(imaged, halted, on_event=events.append)
    (said,) = (event["message"] for event in events if event["event"] == "warning")
    before = f"classifier@{CLASSIFIER}"
    assert said == f"step 2: scores so far are by {before}, here by classifier@other; it starts from scratch"
    assert [(record.score_protocol, record.curves) for record in records] == [
        ("classifier@other", curves) for curves in expected
    ]


def panels(content):
    """The steps of a strip, and its images: shape (k, 32, 16, 16, 3)."""
    file = Image.open(io.BytesIO(content))
    steps, step = [int(word) for word in file.text["steps"].split()], 16 + GAP
    parts = np.split(np.asarray(file), len(steps), axis=1)
    cut = [part[i * step :, j * step :][:16, :16] for part in parts for i in range(4) for j in range(8)]
    return steps, np.stack(cut).reshape(len(steps), 32, 16, 16, 3)


def test_the_drawn_seed_keeps_the_images_of_the_same_latents_at_each_moment(imaged, tmp_path):
    imaged.write_text(SPEC.replace("[profiles.smoke]", "clouds = [0.0, 0.66, 1.0]\n[profiles.smoke]"))
    store = Store(tmp_path / "results")
    first, second = train(imaged, store)
    assert names(first) == [f"artefacts/{first.id}-HASH.png", f"artefacts/{first.id}-HASH-grids.png"]
    assert names(second) == [f"artefacts/{second.id}-HASH.png"]
    final, strip = kept(store, first).values()
    steps, grids = panels(strip)
    assert steps == [0, 2, 3]
    assert np.array_equal(grids[-1], cells(final)[:32])
    trainer = make_trainer(first.setting, [0], CPU)
    with torch.no_grad():
        made = trainer.generator.of_seed(0)(torch.randn(BATCH, 3, generator=generator(0, "grid latent")))[:32]
    untrained = ((made + 1) * (255.99 / 2)).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert np.abs(grids[0].astype(int) - untrained.numpy().astype(int)).max() <= 1
    moved = np.abs(grids.astype(int) - grids[0].astype(int)).mean(axis=(1, 2, 3, 4))
    assert 0 == moved[0] < moved[1] < moved[2]


def test_stopped_and_gone_on_with_the_strip_is_the_same(imaged, tmp_path, monkeypatch):
    imaged.write_text(SPEC.replace("[profiles.smoke]", "clouds = [0.0, 0.34, 1.0]\n[profiles.smoke]"))
    whole, halted = Store(tmp_path / "a"), Store(tmp_path / "b")
    expected = kept(whole, train(imaged, whole)[0])
    train_until_two(imaged, halted, monkeypatch)
    assert kept(halted, train(imaged, halted)[0]) == expected
    assert panels(list(expected.values())[1])[0] == [0, 1, 3]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_grid_that_is_missing_or_damaged_is_found(imaged, tmp_path, damage):
    store = Store(tmp_path / "results")
    record, _ = train(imaged, store)
    path = store.root / record.experiment / record.artefacts[0].file
    assert verify(store).damaged == verify(store).orphaned == []
    damage(path)
    (line,) = verify(store).damaged
    assert line.startswith(f"{path}: ")
    assert CliRunner().invoke(cli, ["results", "verify", "--results", str(store.root)]).exit_code == 1


def test_points_have_no_grid_and_no_trace_holds_one(tiny, tmp_path):
    store = Store(tmp_path / "results")
    records = execute(tiny(), store, seeds=[3], variants=["gp"])
    assert names(records[0]) == [f"artefacts/{records[0].id}-HASH.npz"]
    assert "grids" not in Trace().state()
