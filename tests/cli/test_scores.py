"""``wganbench classifier`` and ``wganbench inception`` as a user meets them."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tests.measures.scores.imaged import CLASSIFIER, SPEC
from tests.measures.scores.striped import striped
from tests.measures.scores.test_inception import REAL, Sure
from wganbench.cli import cli
from wganbench.data import image_sets, shapes10
from wganbench.data.images import Images
from wganbench.files import WEIGHTS_VARIABLE
from wganbench.measures.scores.protocol import PUBLISHED, path_of, read_about
from wganbench.measures.scores.train_classifier import RECIPES, train_classifier
from wganbench.records.store import Store
from wganbench.runner import score_networks


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("WGANBENCH_INCEPTION_WEIGHTS", raising=False)
    return tmp_path


@pytest.fixture
def pictures(here):
    """A folder of striped images, 8×8, with a training and a test split."""
    for split, n in (("train", 256), ("test", 60)):
        images = striped(n, len(split), size=8)
        for number, (image, label) in enumerate(zip(images.pixels, images.labels.tolist(), strict=True)):
            path = here / "pictures" / "stripes" / split / f"class{label}" / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(path)
    return here / "pictures" / "stripes"


def play(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def wrong(*arguments: object) -> str:
    """The one line that is printed where the input is wrong."""
    result = play(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    (line,) = [line for line in result.output.splitlines() if line.startswith("wganbench: ")]
    assert "Traceback" not in result.output
    return line


def train(*arguments: object) -> Result:
    return play("classifier", "train", *arguments, "--device", "cpu", "--recipe", "drawn")


def classifiers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


# ---- classifier -----------------------------------------------------------------------------------------------------


def test_a_classifier_of_a_folder_is_trained_listed_and_found_by_a_spec(here, pictures):
    trained = train(pictures, "--size", 8, "--epochs", 6, "--accuracy", 0.6)
    assert trained.exit_code == 0, trained.output
    (path,) = classifiers(here / "data" / "classifiers")
    about = read_about(path)
    assert (about.data, about.size, about.epochs, about.recipe) == ("stripes", 8, 6, "drawn/1, batches of 16")
    assert about.test_accuracy >= about.stated_accuracy == 0.6
    assert f'score = {{ name = "classifier", file = "{path.stem}" }}' in trained.output
    listed = play("classifier", "list")
    assert listed.exit_code == 0
    (row,) = [line for line in listed.output.splitlines() if line.split()[:1] == [path.stem]]
    assert f"{100 * about.test_accuracy:.4g} %" in row
    assert f" {CLASSIFIER} " in listed.output
    assert path_of(path.stem) == path


def test_the_same_words_make_the_same_file_wherever_it_is_put(here, pictures):
    for folder in ("a", "b"):
        assert train(pictures, "--size", 8, "--epochs", 1, "--accuracy", 0.01, "--out", folder).exit_code == 0
    (first,), (second,) = classifiers(here / "a"), classifiers(here / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert classifiers(here / "data") == []


def test_training_here_is_training_by_the_function(here, pictures):
    train(pictures, "--size", 8, "--epochs", 1, "--accuracy", 0.01, "--seed", 3)
    sets = [score_networks._images(str(pictures), split, 8) for split in ("train", "test")]
    assert [len(each) for each in sets] == [256, 60]
    torch.set_num_threads(1)
    _, content = train_classifier(*sets, replace(RECIPES["drawn"], accuracy=0.01, epochs=1), seed=3)
    (path,) = classifiers(here / "data")
    assert path.read_bytes() == content


def test_a_classifier_below_its_stated_accuracy_is_not_kept(here, pictures):
    line = wrong("classifier", "train", pictures, "--size", 8, "--recipe", "drawn", "--epochs", 1, "--accuracy", 1.0)
    assert line.startswith("wganbench: classifier of stripes at 8×8: test accuracy 0.")
    assert "after 1 epochs, must be at least 1.0 as stated; it is not kept" in line
    assert classifiers(here) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shapes", "--size", "16"), "classifier of shapes: no such image set or folder; must be shapes10, cifar10, "),
        (("shapes10", "--size", "64"), "classifier of shapes10: size: must be at most 32, got 64"),
        (("shapes10", "--size", "16", "--recipe", "fast"), "recipe: unknown 'fast'; known: drawn, photographs"),
        (("cifar10", "--size", "16"), "cifar10: no cifar-10-batches-py/data_batch_1 and 6 more in "),
        (("pictures/cifar10", "--size", "16"), "folder: 'cifar10' names something else; rename the folder"),
        (("pictures", "--size", "16"), "pictures: no split 'test'; must have a folder test beside train"),
    ],
)
def test_data_that_no_classifier_can_be_trained_on_are_one_line(here, arguments, said):
    for name in ("ape", "bee"):
        (here / "pictures" / "cifar10" / name).mkdir(parents=True)
        (here / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(here / "pictures" / name / "0.png")
    (here / "pictures" / "cifar10" / "ape" / "0.png").touch()
    shutil.move(here / "pictures" / "cifar10", here / "cifar10")
    arguments = ("cifar10/../cifar10", *arguments[1:]) if arguments[0] == "pictures/cifar10" else arguments
    assert said in wrong("classifier", "train", *arguments)
    assert classifiers(here) == []


def test_a_disk_that_refuses_the_file_is_one_line(here, pictures):
    (here / "out").touch()
    result = train(pictures, "--size", 8, "--epochs", 1, "--accuracy", 0.01, "--out", here / "out" / "in")
    assert result.exit_code == 2
    assert "cannot be written (Not a directory); make room there, or use --out" in result.output


def test_a_damaged_classifier_is_reported_and_the_others_are_listed(here):
    own = here / "data" / "classifiers"
    own.mkdir(parents=True)
    (own / "stripes-16-00000000.safetensors").write_bytes(path_of(CLASSIFIER).read_bytes())
    result = play("classifier", "list")
    assert result.exit_code == 1
    assert "its SHA-256 begins with 8c9f1cc8, its name says another" in result.output
    assert CLASSIFIER in result.output


# ---- inception ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(monkeypatch):
    """An Inception network that gives each of eleven classes its share, and real images that take no time."""
    labels = torch.zeros(len(REAL), dtype=torch.int64)
    monkeypatch.setattr(image_sets, "cifar10", lambda **options: Images("cifar10", REAL, labels, "0" * 64))
    made = []

    def inception(weights):
        made.append(weights)
        return Sure(11)

    monkeypatch.setattr("wganbench.measures.scores.inception.inception", inception)
    return made


def test_the_self_test_is_kept_for_runs(here, stub):
    said = play("inception", "verify", "--inception-weights", "mine.pth", "--device", "cpu")
    assert said.exit_code == 0, said.output
    assert said.output == (
        "weights 12345678 on cpu: CIFAR-10's training images score 11.22 ± 0.00, as they must; "
        f"runs here are scored by {PUBLISHED}\n"
    )
    assert stub == [here / "mine.pth"]
    assert "WGANBENCH_INCEPTION_WEIGHTS" not in os.environ
    (kept,) = (here / "data" / "inception").iterdir()
    assert math.isclose(json.loads(kept.read_text())["score"], 11.22, abs_tol=0.01)


def test_a_network_that_fails_the_self_test_is_one_line(here, stub, monkeypatch):
    monkeypatch.setattr("wganbench.measures.scores.inception.inception", lambda weights: Sure(9))
    line = wrong("inception", "verify", "--device", "cpu")
    assert line.startswith("wganbench: inception, self-test: real images score 9.")


def test_without_the_original_images_there_is_no_self_test(here):
    line = wrong("inception", "verify", "--device", "cpu")
    assert line.startswith("wganbench: cifar10: no cifar-10-batches-py/data_batch_1 and 6 more in ")


@pytest.mark.parametrize(("verified", "protocol"), [(False, "inception@12345678-uncalibrated"), (True, PUBLISHED)])
def test_runs_are_scored_by_the_published_protocol_once_it_is_passed(here, stub, monkeypatch, verified, protocol):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    score = f'score = {{ name = "classifier", file = "{CLASSIFIER}" }}'
    assert score in SPEC
    Path("imaged.toml").write_text(SPEC.replace(score, 'score = "inception"'))
    if verified:
        play("inception", "verify", "--device", "cpu")
    options = ("--profile", "smoke", "--seeds", "1", "--variant", "gp", "--device", "cpu")
    result = play("run", "imaged.toml", *options, "--inception-weights", "mine.pth")
    assert result.exit_code == 0, result.output
    (record,) = Store("runs").load().values()
    assert (record.status, record.score_protocol) == ("finished", protocol)
    assert stub[-1] == here / "mine.pth"
    assert WEIGHTS_VARIABLE not in os.environ


def test_a_missing_file_of_weights_is_reported_before_any_training(here, monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    score = f'score = {{ name = "classifier", file = "{CLASSIFIER}" }}'
    Path("imaged.toml").write_text(SPEC.replace(score, 'score = "inception"'))
    line = wrong("run", "imaged.toml", "--profile", "smoke", "--device", "cpu", "--inception-weights", "none.pth")
    said = "none.pth: cannot be read (No such file or directory); give the file with --inception-weights FILE"
    assert line.endswith(said)
    assert not Path("runs").exists()
