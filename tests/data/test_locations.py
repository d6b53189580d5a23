from pathlib import Path

import numpy as np
import pytest

from wganbench.data import image_sets, locations, shapes10, stacked_mnist, torchvision_sets
from wganbench.data.cache import Recipe, obtain
from wganbench.data.imagenet32 import SIDE
from wganbench.data.locations import IMAGE_SETS, data_folder, locate
from wganbench.data.manage import fetch, inventory, verify
from wganbench.errors import DataError


@pytest.fixture
def few_shapes(monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})


def test_the_data_folder_is_what_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("WGANBENCH_DATA", raising=False)
    assert data_folder() == tmp_path / "wganbench"
    monkeypatch.setenv("WGANBENCH_DATA", "~/pictures")
    assert data_folder() == Path.home() / "pictures"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", "here")
    assert data_folder() == tmp_path / "here"


@pytest.mark.parametrize(("platform", "place"), [("linux", ".cache/wganbench"), ("darwin", "Library/Caches/wganbench")])
@pytest.mark.parametrize("cache", ["", "relative/is/to/be/ignored"])
def test_without_a_word_it_is_the_platforms_cache(monkeypatch, platform, place, cache):
    monkeypatch.delenv("WGANBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setattr(locations.sys, "platform", platform)
    assert data_folder() == Path.home() / place


def test_what_is_said_of_a_set_is_what_its_code_does():
    assert IMAGE_SETS["shapes10"].images == shapes10.COUNTS
    assert IMAGE_SETS["stacked_mnist"].images == stacked_mnist.COUNTS
    assert {name: IMAGE_SETS[name].shape[1:] for name in torchvision_sets.SIDES} == {
        name: (side, side) for name, side in torchvision_sets.SIDES.items()
    }
    assert IMAGE_SETS["imagenet32"].shape == (3, SIDE, SIDE)
    assert len(IMAGE_SETS["imagenet32"].files["train"]) == 10


def test_a_set_may_lie_in_its_own_folder_or_with_others_and_its_own_comes_first(data_folder):
    def put(folder):
        (folder).mkdir(parents=True, exist_ok=True)
        (folder / "val_data.npz").touch()

    put(data_folder)
    assert locate("imagenet32", "test") == data_folder
    put(data_folder / "imagenet32")
    assert locate("imagenet32", "test") == data_folder / "imagenet32"


# ---- what there is, and whether it is whole -------------------------------------------------------------------------


def test_the_inventory_says_what_is_missing_drawn_and_decoded(data_folder, few_shapes):
    states = {(held.name, held.split): held.state for held in inventory()}
    assert set(states.values()) == {"missing", "drawn when used"}
    (data_folder / "imagenet32").mkdir(parents=True)
    (data_folder / "imagenet32" / "val_data.npz").touch()
    shapes = image_sets.shapes10(split="test", size=16)
    (shapes10_test,) = (held for held in inventory() if (held.name, held.split) == ("shapes10", "test"))
    assert (shapes10_test.images, shapes10_test.shape, shapes10_test.state) == (20, "3×16×16", "decoded")
    assert shapes10_test.checksum == shapes.checksum
    assert shapes10_test.place.parent == data_folder / "decoded"
    states = {(held.name, held.split): held.state for held in inventory()}
    assert (states["imagenet32", "test"], states["imagenet32", "train"]) == ("there", "missing")


def test_the_inventory_has_folders_that_were_decoded(data_folder, make_folder):
    folder = make_folder("data/faces", {"a/0.png": (2, 2), "b/0.png": (2, 2)})
    assert folder.parent == data_folder
    faces = image_sets.image_folder(folder="faces")
    assert [(held.name, held.checksum) for held in inventory()][-1] == ("faces", faces.checksum)


def test_fetching_shapes_draws_both_splits(data_folder, few_shapes):
    lines = list(fetch("shapes10"))
    assert [line.partition(", SHA-256 ")[0] for line in lines] == [
        "shapes10 train: 30 images",
        "shapes10 test: 20 images",
    ]
    assert lines[0].endswith(image_sets.shapes10().checksum)


def test_what_cannot_be_fetched_is_reported(data_folder):
    with pytest.raises(
        DataError,
        match=r"^faces: cannot be fetched; must be one of shapes10, cifar10, mnist, .*, imagenet32, cifar10-jpeg75$",
    ):
        list(fetch("faces"))
    with pytest.raises(DataError, match=r"^imagenet32: no train_data_batch_1.npz and 9 more in .*; log in at"):
        list(fetch("imagenet32"))


def test_verify_finds_a_damaged_file_and_passes_whole_ones(data_folder, few_shapes):
    for split in ("train", "test"):
        image_sets.shapes10(split=split)
    assert [finding.whole for finding in verify()] == [True, True]
    damaged = next((data_folder / "decoded").glob("shapes10-test-*.npy"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    findings = list(verify("shapes10"))
    assert {finding.text: finding.whole for finding in findings} == {
        f"{damaged}: damaged; it is decoded again when it is used, or remove it": False,
        next(finding.text for finding in findings if "-train-" in finding.text): True,
    }


def test_verify_holds_published_files_against_their_checksums(data_folder, monkeypatch):
    for file in locations.RAW_MNIST["test"]:
        (data_folder / file).parent.mkdir(parents=True, exist_ok=True)
        (data_folder / file).write_bytes(b"not it")
    (finding,) = verify("mnist")
    assert not finding.whole
    assert "t10k-images-idx3-ubyte: wrong checksum" in finding.text


def test_verify_of_what_is_not_there_is_reported(data_folder):
    assert list(verify()) == []
    with pytest.raises(DataError, match=rf"^cifar10: no files of it in {data_folder}; 'wganbench data fetch cifar10'"):
        list(verify("cifar10"))
    with pytest.raises(DataError, match=rf"^faces: no files of it in {data_folder}$"):
        list(verify("faces"))


def test_verify_takes_no_set_for_one_whose_name_it_begins_with(data_folder):
    batch = (np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64))
    for name in ("faces", "faces-2"):
        obtain(Recipe(name, "train", "1x2x2", 1, "0" * 64, lambda: [batch]), data_folder / "decoded")
    assert len(list(verify("faces"))) == 1
