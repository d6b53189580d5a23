import pytest
import torch

from wganbench.data import image_folder, image_sets, manage, shapes10
from wganbench.errors import DataError
from wganbench.runner import resolve
from wganbench.spec import Component


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def few_shapes(monkeypatch, data_folder):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    return data_folder


def test_shapes_are_drawn_once_and_opened_from_then_on(few_shapes, monkeypatch):
    first = image_sets.shapes10()
    monkeypatch.setattr(shapes10, "draw", None)
    second = image_sets.shapes10(scaling="256-dequantised")
    assert torch.equal(first.pixels, second.pixels)
    assert first.checksum == second.checksum
    assert (len(first), first.sample_shape, first.n_classes) == (30, (3, 32, 32), 10)


def test_a_set_that_a_spec_names_is_made_as_the_runner_makes_it(few_shapes):
    component = Component.resolve("data set", {"name": "shapes10", "size": 16, "split": "test"})
    data = resolve.factory("data set", component)().to("cpu")
    x = data.draw(7, seeded())
    assert (len(data), x.shape, x.dtype) == (20, (7, 3, 16, 16), torch.float32)
    assert -1 <= x.min() < -0.5 and 0.5 < x.max() <= 1


def test_checksums_tell_splits_and_sizes_apart(few_shapes):
    sets = [image_sets.shapes10(split=split, size=size) for split in ("train", "test") for size in (16, 32)]
    assert len({each.checksum for each in sets}) == 4


@pytest.mark.parametrize(
    ("make", "native"),
    [
        (image_sets.shapes10, 32),
        (image_sets.cifar10, 32),
        (image_sets.mnist, 28),
        (image_sets.imagenet32, 32),
    ],
)
@pytest.mark.parametrize("size", [0, 33])
def test_a_size_is_at_most_the_native_one(data_folder, make, native, size):
    message = rf"^{make.__name__}, size: must be between 1 and {native}, got {size}; it is averaged, never enlarged$"
    with pytest.raises(DataError, match=message):
        make(size=size)


SMALL = {"train/a/0.png": (4, 4), "train/b/0.png": (4, 4), "test/a/0.png": (4, 4), "test/b/0.png": (4, 4)}


def test_a_folder_in_the_data_folder_goes_by_its_name(data_folder, make_folder):
    make_folder("data/faces", SMALL)
    train, test = (image_sets.image_folder(folder="faces", split=split, size=2) for split in ("train", "test"))
    assert (train.name, train.sample_shape) == ("faces", (3, 2, 2))
    assert sorted(train.pixels[:, 0, 0, 0].tolist()) == [10, 20]
    assert sorted(test.pixels[:, 0, 0, 0].tolist()) == [30, 40]


def test_a_folder_with_a_digest_is_found_decoded_when_it_is_gone_itself(data_folder, make_folder):
    from wganbench.data.image_folder import digest

    folder = make_folder("data/faces", SMALL)
    key = digest(folder)
    first = image_sets.image_folder(folder="faces", digest=key)
    folder.rename(data_folder / "away")
    assert image_sets.image_folder(folder="faces", digest=key).checksum == first.checksum
    with pytest.raises(DataError, match=rf"^{folder}: no such folder; must have a folder of images for each class$"):
        image_sets.image_folder(folder="faces", digest=key, split="test")
    message = (
        "put or link one there with a folder of images for each class, or name another data folder with --data-dir"
    )
    with pytest.raises(DataError, match=rf"^{folder}: no such folder; {message} or WGANBENCH_DATA$"):
        image_sets.image_folder(folder="faces")


def test_a_folder_without_splits_is_all_to_train_on(data_folder, make_folder):
    make_folder("data/faces", {"a/0.png": (4, 4), "b/0.png": (4, 4), "b/1.png": (4, 4)})
    faces = image_sets.image_folder(folder="faces")
    assert (len(faces), faces.n_classes, faces.sample_shape) == (3, 2, (3, 4, 4))
    with pytest.raises(
        DataError, match=r"no split 'test'; must have a folder test beside train, as all else is train$"
    ):
        image_sets.image_folder(folder="faces", split="test")


def test_verify_states_the_digest_that_a_spec_may_have(data_folder, make_folder):
    folder = make_folder("data/faces", SMALL)
    checksum = image_sets.image_folder(folder="faces").checksum
    (finding,) = manage.verify("faces")
    assert finding.whole
    assert finding.text.endswith(
        f': whole, SHA-256 {checksum}; of the folder, digest = "{image_folder.digest(folder)}"'
    )
    assert image_sets.image_folder(folder="faces", digest=image_folder.digest(folder)).checksum == checksum


def test_verify_states_the_digest_of_a_folder_before_it_is_decoded(data_folder, make_folder):
    folder = make_folder("data/faces", SMALL)
    (finding,) = manage.verify("faces")
    assert finding.whole
    assert finding.text == f'{folder}: not decoded yet; of the folder, digest = "{image_folder.digest(folder)}"'


def test_verify_states_no_digest_of_a_published_set(few_shapes):
    checksum = image_sets.shapes10().checksum
    (finding,) = manage.verify("shapes10")
    assert finding.text.endswith(f": whole, SHA-256 {checksum}")


@pytest.mark.parametrize("folder", ["cifar10", "CIFAR-10", "mnist", "ImageNet32", "shapes_10", "train", "decoded"])
def test_a_folder_cannot_have_the_name_of_something_else(folder):
    with pytest.raises(ValueError, match=f"^folder: '{folder}' names something else; rename the folder"):
        Component.resolve("data set", {"name": "image_folder", "folder": folder})


@pytest.mark.parametrize("folder", ["../faces", "/faces", "", ".hidden", "a b", "faces/train"])
def test_a_folder_is_named_and_not_led_to(folder):
    with pytest.raises(
        ValueError, match=rf"^folder: must be the name of a folder in the data folder, .* got {folder!r};"
    ):
        Component.resolve("data set", {"name": "image_folder", "folder": folder})


@pytest.mark.parametrize(
    ("option", "value"),
    [("size", 64), ("size", 0), ("scaling", "256"), ("split", "valid"), ("path", "/data"), ("flips", 1)],
)
def test_a_spec_with_a_wrong_option_is_refused(option, value):
    with pytest.raises(ValueError, match=f"(^|')({option})"):
        Component.resolve("data set", {"name": "cifar10", option: value})


@pytest.mark.parametrize("name", ["shapes10", "cifar10", "mnist", "imagenet32", "image_folder"])
def test_flips_are_in_the_options_only_where_they_are_asked_for(name):
    named = {"name": name, **({"folder": "faces"} if name == "image_folder" else {})}
    plain, unasked, asked = (
        Component.resolve("data set", {**named, **how}) for how in ({}, {"flips": False}, {"flips": True})
    )
    assert plain == unasked
    assert "flips" not in plain.options
    assert asked.options == {**plain.options, "flips": True}


def test_an_opened_set_flips_as_it_is_asked_to(few_shapes):
    assert image_sets.shapes10(flips=True).flips
    assert not image_sets.shapes10().flips
