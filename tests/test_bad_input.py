"""Images and scores that will not do: each is one line on the command line, and leaves no record."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.measures.scores.imaged import CLASSIFIER, SPEC
from wganbench.cli import cli
from wganbench.data import shapes10
from wganbench.data.locations import RAW_MNIST
from wganbench.data.torchvision_sets import CIFAR10
from wganbench.measures.scores.protocol import path_of
from wganbench.records.store import Store

DATA, SCORE = '{ name = "shapes10", size = 16 }', f'{{ name = "classifier", file = "{CLASSIFIER}" }}'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder, with an empty data folder; the set that needs no download is small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("WGANBENCH_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    return tmp_path


def images(folder: Path, *places: str, size: tuple[int, int] = (16, 16)) -> Path:
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), 9 * number, np.uint8)).save(folder / place)
    return folder


def run(*arguments: object, **replaced: str) -> str:
    """The one line that a run of the spec ends in, with ``replaced`` texts of it; nothing is recorded."""
    text = SPEC
    for old, new in {"data": DATA, "score": SCORE, "measures": "samples = 20, splits = 2"}.items():
        assert old not in replaced or new in text
        text = text.replace(new, replaced.get(old, new))
    Path("imaged.toml").write_text(text)
    line = one_line("run", "imaged.toml", "--profile", "smoke", "--seeds", 1, "--device", "cpu", *arguments)
    assert Store("runs").load() == {}
    assert not list(Path().glob("runs/*/artefacts/*"))
    return line


def one_line(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    assert line.startswith("wganbench: ")
    assert "Traceback" not in result.output
    return line.removeprefix("wganbench: ")


def test_the_spec_itself_runs(here):
    Path("imaged.toml").write_text(SPEC)
    options = ("--profile", "smoke", "--seeds", "1", "--device", "cpu")
    assert CliRunner().invoke(cli, ["run", "imaged.toml", *options]).exit_code == 0
    assert [record.status for record in Store("runs").load().values()] == ["finished"] * 2


# ---- images ---------------------------------------------------------------------------------------------------------


def corrupt(folder: Path) -> None:
    path = images(folder, *PLACES) / PLACES[2]
    path.write_bytes(path.read_bytes()[:60])


PLACES = ("ape/0.png", "ape/1.png", "bee/0.png", "bee/1.png")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (corrupt, "faces/bee/0.png: not a whole image ("),
        (lambda folder: (images(folder, *PLACES) / PLACES[0]).write_bytes(b"GIF89a"), "ape/0.png: not a whole image ("),
        (lambda folder: images(folder, "ape/0.png", "ape/1.png"), "faces: one class, 'ape'; must have two or more"),
        (lambda folder: folder.mkdir(), "faces: no classes; must have two or more folders"),
        (lambda folder: images(folder, "0.png", "1.png"), "faces: no classes and 2 images in none; must have"),
        (lambda folder: (images(folder, *PLACES) / "cow").mkdir(), "faces/cow: no images; must have some of .jpg"),
        (lambda folder: images(folder, *PLACES, size=(9, 12)), "12×9 pixels, less than size = 16; images are never"),
        (lambda folder: None, "faces: no such folder; must have a folder of images for each class"),
        (lambda folder: folder.touch(), "faces: no such folder; must have a folder of images for each class"),
    ],
)
def test_a_folder_of_images_that_will_not_do(here, make: Callable[[Path], object], said):
    make(here / "faces")
    assert said in run("--data", "shapes10=faces")
    assert not list(here.glob("data/decoded/*"))


def test_images_of_mixed_sizes_without_a_size(here):
    images(here / "data" / "faces", *PLACES[:3])
    images(here / "data" / "faces", PLACES[3], size=(20, 18))
    line = run(data='{ name = "image_folder", folder = "faces" }')
    said = "18×20 pixels, the first has 16×16; set size to bring images of mixed sizes to one size"
    assert line.endswith(f"bee/1.png: {said}")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("mnist", RAW_MNIST["train"]),
        ("cifar10", [f"{CIFAR10.base_folder}/{file}" for file, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]),
    ],
)
def test_a_published_set_with_a_wrong_checksum(here, name, files):
    for file in (*files, f"{CIFAR10.base_folder}/batches.meta"):
        (here / "data" / name / file).parent.mkdir(parents=True, exist_ok=True)
        (here / "data" / name / file).write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    line = run(data=f'{{ name = "{name}", size = 16 }}')
    assert f"{files[0]}: wrong checksum, MD5 " in line
    assert f"remove it and run 'wganbench data fetch {name}'" in line
    assert not Path("ran").exists()


def test_no_room_on_the_disk_for_the_decoded_images(here):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # the kernel then refuses the rest
    try:
        line = run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert line == (
        f"{here}/data/decoded: cannot write the decoded shapes10 (File too large); make room there, or name another "
        f"folder with --data-dir or WGANBENCH_DATA"
    )
    assert list(here.glob("data/decoded/*")) == []


def test_a_data_folder_that_cannot_be_one(here, monkeypatch):
    (here / "taken").touch()
    monkeypatch.setenv("WGANBENCH_DATA", str(here / "taken"))
    line = run()
    assert line.startswith(f"{here}/taken/decoded: cannot write the decoded shapes10 (")


def test_fewer_images_than_a_batch(here):
    images(here / "faces", *PLACES[:3])
    line = run("--data", "shapes10=faces")
    assert line == "batch_size: must be at most the 3 images of faces, got 4"


# ---- scores ---------------------------------------------------------------------------------------------------------


def test_fewer_samples_than_splits(here):
    line = run(measures="samples = 9, splits = 10")
    assert line.startswith("imaged.toml, measures.inception_score")
    assert line.endswith("splits must be at most samples (9), got 10")


def test_more_real_images_than_there_are(here):
    spec = SPEC.replace("inception_score =", "frechet_distance =").replace("samples = 20, splits = 2", "samples = 31")
    Path("other.toml").write_text(spec)
    line = one_line("run", "other.toml", "--profile", "smoke", "--device", "cpu")
    assert line == "measures.frechet_distance.samples: must be at most the 30 images of shapes10, got 31"


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("shapes10-16-00000000", None, "cannot be read (No such file or directory); restore it or train one"),
        ("weights", None, "score: file: must match pattern"),
        ("shapes10-16-00000000", lambda content: content, "its SHA-256 begins with 8c9f1cc8, its name says another"),
        (CLASSIFIER, lambda content: content[:-1], "not a whole safetensors file; restore it or train one"),
        (CLASSIFIER, lambda content: pickle.dumps({"last.weight": [1.0]}), "not a whole safetensors file"),
    ],
)
def test_a_classifier_that_is_none(here, name, make, said):
    content = path_of(CLASSIFIER).read_bytes()
    if make is not None:
        (here / "data" / "classifiers").mkdir(parents=True)
        (here / "data" / "classifiers" / f"{name}.safetensors").write_bytes(make(content))
    assert said in run(score=f'{{ name = "classifier", file = "{name}" }}')


def test_a_classifier_of_images_of_another_size(here):
    line = run(data='{ name = "shapes10", size = 32 }')
    assert line == f"classifier@{CLASSIFIER}: images must be (n, 3, 16, 16) torch.uint8, got (1, 3, 32, 32) torch.uint8"


def test_stacked_digits_that_are_not_there_or_that_the_classifier_cannot_tell(here):
    line = one_line("run", "stacked-mnist", "--profile", "reduced", "--variant", "gan", "--device", "cpu")
    assert line.startswith(
        f"mnist: no MNIST/raw/train-images-idx3-ubyte and 1 more in {here}/data/mnist; 'wganbench data"
    )
    options = ("--profile", "smoke", "--variant", "gan", "--device", "cpu")
    line = one_line("run", "stacked-mnist", *options, "--set", "score.file='shapes10-32-e38e9d3b'")
    shapes = "(n, parts · 3, 32, 32) torch.uint8, got (1, 3, 16, 16) torch.uint8"
    assert line == f"stacked@shapes10-32-e38e9d3b: images must be {shapes}"


def test_a_score_of_points(here):
    networks = {"dcgan_generator": '"mlp", hidden = [4] }', "dcgan_critic": '"mlp", hidden = [4] }'}
    spec = SPEC.replace(DATA, '"gaussian_ring"')
    for name, other in networks.items():
        spec = spec.replace(f'"{name}", filters = 2 }}', other)
    Path("points.toml").write_text(spec)
    line = one_line("run", "points.toml", "--profile", "smoke", "--device", "cpu")
    assert line == "score: needs images, and 'gaussian_ring' has none; leave it out"


def test_a_stranger_s_measure_that_reads_a_score_network_where_there_is_none(here, monkeypatch):
    Path("reading_scores.py").write_text("def look(seen):\n    return 0.0\n")
    monkeypatch.syspath_prepend(str(here))
    lines = [line for line in SPEC.splitlines() if not line.startswith(("score", "measures"))]
    text = "\n".join(lines).replace("[profiles.smoke]", '[measures."reading_scores:look"]\n[profiles.smoke]')
    Path("look.toml").write_text(text)
    line = one_line("run", "look.toml", "--profile", "smoke", "--device", "cpu")
    assert line == "measures.reading_scores:look: reads a score network, and the setting has none; set score"


class Runs:
    """What a pickle may hold that is no weights: it would write a file when it is read."""

    def __reduce__(self):
        return open, ("ran", "w")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(pickle.dumps(Runs())), "not a file of weights alone ("),
        (lambda path: torch.save({"fc.bias": Runs()}, path), "not a file of weights alone ("),
        (lambda path: torch.save([torch.zeros(2)], path), "holds list, not tensors by name"),
        (lambda path: torch.save({"epoch": 3}, path), "holds dict, not tensors by name"),
        (lambda path: path.mkdir(), None),
        (lambda path: None, "cannot be read (No such file or directory)"),
    ],
)
def test_inception_weights_that_are_none(here, make, said):
    make(here / "weights.pth")
    if said is None:
        Path("imaged.toml").write_text(SPEC.replace(SCORE, '"inception"'))
        result = CliRunner().invoke(cli, ["run", "imaged.toml", "--inception-weights", "weights.pth"])
        assert (result.exit_code, "is a directory" in result.output) == (2, True)
        return
    line = run("--inception-weights", "weights.pth", score='"inception"')
    assert line.startswith(f"{here}/weights.pth: {said}")
    assert line.endswith("; give the file with --inception-weights FILE")
    assert not Path("ran").exists()


def test_inception_weights_of_another_shape(here):
    torch.save({"fc.bias": torch.zeros(3)}, here / "weights.pth")
    line = run("--inception-weights", "weights.pth", score='"inception"')
    assert line.startswith(f"{here}/weights.pth: not the weights of inception-v3-compat (")
