import pickle

import numpy as np
import pytest

from wganbench.data import imagenet32, locations
from wganbench.data.cache import obtain
from wganbench.data.imagenet32 import read_batch, recipe
from wganbench.errors import DataError


def content(n=3, seed=0, labels=None):
    data = np.random.default_rng(seed).integers(0, 256, (n, 3072), np.uint8)
    return {"data": data, "labels": [1, 1000, 7][:n] if labels is None else labels, "mean": data.sum(0) / 3}


def write(path, batch):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **batch)
    return path


def test_a_batch_is_read_plane_by_plane_with_labels_from_0(tmp_path):
    batch = content()
    images, labels = read_batch(write(tmp_path / "val_data.npz", batch))
    assert (images.shape, images.dtype, labels.tolist()) == ((3, 3, 32, 32), np.uint8, [0, 999, 6])
    # a row is the red plane, then green, then blue, each row by row
    assert images[1, 2, 5, 7] == batch["data"][1, 2 * 1024 + 5 * 32 + 7]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"a": [1, 2]}, r"must hold 'data' and 'labels'"),
        ({"data": content()["data"]}, r"must hold 'data' and 'labels'"),
        ({**content(), "data": [[1]]}, r", data: must be uint8 of shape \(n, 3072\), got int64 \(1, 1\)$"),
        ({**content(), "data": content()["data"][:, :-1]}, r"got uint8 \(3, 3071\)$"),
        ({**content(), "data": content()["data"].astype(np.float32)}, r"got float32 \(3, 3072\)$"),
        (content(labels=[0, 1, 2]), r", labels: must be from 1 to 1000, one for each of 3 images$"),
        (content(labels=[1, 1001, 2]), r", labels: must be from 1 to 1000"),
        (content(labels=[1, 2]), r", labels: must be from 1 to 1000"),
        (content(labels=[1.0, 2.0, 3.0]), r", labels: must be from 1 to 1000"),
        (content(labels=["a", "b", "c"]), r", labels: must be from 1 to 1000"),
        (content(labels=[[1], [2], [4]]), r", labels: must be from 1 to 1000"),
        (content(n=0), r", labels: must be from 1 to 1000, one for each of 0 images$"),
    ],
)
def test_a_batch_of_something_else_is_reported(tmp_path, batch, message):
    with pytest.raises(DataError, match=message):
        read_batch(write(tmp_path / "val_data.npz", batch))


def test_a_batch_that_is_cut_off_is_reported(tmp_path):
    path = write(tmp_path / "val_data.npz", content())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=rf"^{path}: not a whole npz file of plain arrays \(.+\)$"):
        read_batch(path)


def test_an_npz_of_objects_is_refused(tmp_path):
    path = tmp_path / "val_data.npz"
    np.savez(path, data=np.array([print], dtype=object), labels=np.array([1]))
    with pytest.raises(DataError, match=r"not a whole npz file of plain arrays \(Object arrays cannot be loaded"):
        read_batch(path)


def test_a_pickle_is_not_read(tmp_path):
    path = tmp_path / "val_data.npz"
    path.write_bytes(pickle.dumps(content()))
    with pytest.raises(DataError, match=rf"^{path}: not a whole npz file of plain arrays \(File is not a zip file\)$"):
        read_batch(path)


def test_a_batch_larger_than_any_published_one_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "val_data.npz"
    np.savez_compressed(path, data=np.zeros((1000, 3072), np.uint8), labels=np.ones(1000, int))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(imagenet32, "MAX_UNPACKED", 2**20)
    with pytest.raises(DataError, match=r"val_data.npz: .*\(3,0..,... bytes unpacked, at most 1,048,576\)$"):
        read_batch(path)


def test_the_largest_published_batch_is_below_the_bound():
    images = 1_281_167 // 10 + 1
    assert images * (3072 + 8) < imagenet32.MAX_UNPACKED / 2


@pytest.fixture
def published(data_folder, monkeypatch):
    """All batches, three images each."""
    about = locations.IMAGE_SETS["imagenet32"]
    counts = {"train": 30, "test": 3}
    monkeypatch.setitem(
        locations.IMAGE_SETS, "imagenet32", locations.ImageSet(counts, about.shape, about.files, about.remedy)
    )
    for number, name in enumerate([*about.files["train"], *about.files["test"]]):
        write(data_folder / "imagenet32" / name, content(seed=number))
    imagenet32._key.cache_clear()
    return data_folder


def test_batches_are_joined_in_the_order_of_their_numbers(published, tmp_path):
    found = obtain(recipe("train"), tmp_path / "decoded")
    expected = np.concatenate([content(seed=number)["data"] for number in range(10)]).reshape(30, 3, 32, 32)
    assert np.array_equal(found.images, expected)
    assert found.labels.tolist() == [0, 999, 6] * 10
    assert obtain(recipe("test", 16), tmp_path / "decoded").images.shape == (3, 3, 16, 16)


def test_another_content_has_another_key(published):
    first = recipe("test").key
    write(published / "imagenet32" / "val_data.npz", content(seed=99))
    imagenet32._key.cache_clear()
    assert recipe("test").key != first


def test_a_part_of_it_does_not_pass_for_all(published, tmp_path):
    write(published / "imagenet32" / "train_data_batch_3.npz", content(n=2, seed=9))
    imagenet32._key.cache_clear()
    message = r"^imagenet32: 29 images in split 'train' of .*, and ImageNet 32×32 has 30; .*--data imagenet32=FOLDER$"
    with pytest.raises(DataError, match=message):
        obtain(recipe("train"), tmp_path / "decoded")
    assert list((tmp_path / "decoded").iterdir()) == []


def test_a_missing_batch_is_named_with_where_it_belongs(published):
    (published / "imagenet32" / "train_data_batch_4.npz").unlink()
    message = rf"^imagenet32: no train_data_batch_4.npz in {published / 'imagenet32'}; log in at https://image-net"
    with pytest.raises(DataError, match=message):
        recipe("train")
