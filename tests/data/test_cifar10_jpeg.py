"""The JPEG copy of CIFAR-10: its files and their order, and that other files than those of the records are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from wganbench.data import cifar10_jpeg, image_folder, image_sets, torchvision_sets
from wganbench.data.manage import fetch, inventory
from wganbench.errors import DataError
from wganbench.spec import available, load

LABELS = {True: [1, 0, 1, 1, 0], False: [0, 1]}


class Cifar:
    """Stands for torchvision's: two classes, five images to train on and two to test."""

    classes = ("cat", "dog")

    def __init__(self, root, train, download):
        assert (root, download) == ("batches", False)
        self.targets = LABELS[train]
        self.data = np.random.default_rng(train).integers(0, 256, (len(self.targets), 32, 32, 3), np.uint8)


@pytest.fixture
def folder(data_folder, monkeypatch):
    """Where the copy goes; its source is ``Cifar``."""
    data_folder.mkdir()
    monkeypatch.setattr(cifar10_jpeg, "CIFAR10", Cifar)
    monkeypatch.setattr(torchvision_sets, "fetch", lambda name: {"cifar10": "batches"}[name])
    return data_folder / "cifar10-jpeg75"


@pytest.fixture
def copy(folder, monkeypatch):
    """The copy of ``Cifar``, which counts as that of the records."""
    with monkeypatch.context() as unchecked:
        unchecked.setattr(image_folder, "digest", lambda folder: cifar10_jpeg.DIGEST)
        cifar10_jpeg.make("batches", folder)
    monkeypatch.setattr(cifar10_jpeg, "DIGEST", image_folder.digest(folder))
    return folder


def saved(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=75)
    return out.getvalue()


def test_images_are_saved_by_class_and_counted_in_their_order(copy):
    images = Cifar("batches", train=True, download=False).data
    files = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*.jpg"))
    train = ["cat/0000.jpg", "cat/0001.jpg", "dog/0000.jpg", "dog/0001.jpg", "dog/0002.jpg"]
    assert files == ["test/cat/0000.jpg", "test/dog/0000.jpg", *(f"train/{name}" for name in train)]
    for name, position in zip(train, [1, 4, 0, 2, 3], strict=True):
        assert (copy / "train" / name).read_bytes() == saved(images[position])


def test_a_copy_that_is_there_is_left_as_it_is(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.jpg")}
    (line,) = fetch("cifar10-jpeg75")
    assert line == f"{copy}: CIFAR-10 as JPEG, the files of the committed records, digest {cifar10_jpeg.DIGEST}"
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.jpg")} == before


def test_a_copy_that_was_broken_off_is_made_anew(copy):
    copy.rename(copy.with_name(".cifar10-jpeg75.unfinished"))
    assert len([*fetch("cifar10-jpeg75")]) == 1
    assert [path.name for path in copy.parent.iterdir()] == ["cifar10-jpeg75"]


def test_files_that_pillow_saves_otherwise_are_refused_and_not_kept(folder):
    said = r"^[^\n]*cifar10-jpeg75: other files than those of the committed records, digest [0-9a-f]{16}… for 78086fc2"
    with pytest.raises(DataError, match=said + r"[^\n]* as saved by Pillow \d[^\n]* with libjpeg-turbo [^\n]*$"):
        [*fetch("cifar10-jpeg75")]
    assert [*folder.parent.iterdir()] == []


def test_other_files_in_the_folder_are_refused_and_kept(copy):
    (copy / "train" / "cat" / "0000.jpg").write_bytes(saved(np.zeros((32, 32, 3), np.uint8)))
    with pytest.raises(DataError, match=r"^[^\n]*; move it away, or use it under a name of its own$"):
        [*fetch("cifar10-jpeg75")]
    assert (copy / "train" / "cat" / "0000.jpg").exists()


def test_the_inventory_has_the_copy_missing_there_and_decoded(copy):
    def rows():
        return [held for held in inventory() if held.name == "cifar10-jpeg75"]

    (copy / "test").rename(copy / "tests")
    assert [(held.split, held.images, held.shape, held.state, held.place) for held in rows()] == [
        ("train", 50_000, "3×32×32", "there", copy / "train"),
        ("test", 10_000, "3×32×32", "missing", copy / "test"),
    ]
    (copy / "tests").rename(copy / "test")
    decoded = image_sets.image_folder(folder="cifar10-jpeg75", size=16)
    assert [(held.split, held.images, held.shape, held.state, held.checksum) for held in rows()] == [
        ("train", 5, "3×16×16", "decoded", decoded.checksum),
        ("test", 10_000, "3×32×32", "there", ""),
    ]


def test_a_missing_copy_is_reported_with_how_to_make_it(folder):
    with pytest.raises(DataError, match=r"no such folder; 'wganbench data fetch cifar10-jpeg75' makes it of CIFAR-10$"):
        image_folder.digest(folder)


def test_the_digest_is_the_one_that_specs_state():
    stated = {
        setting.data.options["digest"]
        for spec in map(load, available())
        for profile in spec.profiles
        for variant in spec.variants_of(profile)
        for setting in [spec.setting(variant, profile)]
        if setting.data.options.get("folder") == "cifar10-jpeg75"
    }
    assert stated == {cifar10_jpeg.DIGEST}
