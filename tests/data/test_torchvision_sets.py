import gzip
import hashlib
import pickle
import struct
import tarfile
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, MNIST
from torchvision.datasets import utils as torchvision_utils

from wganbench.data import torchvision_sets
from wganbench.data.cache import obtain
from wganbench.data.locations import IMAGE_SETS, RAW_MNIST
from wganbench.data.torchvision_sets import cifar10, fetch, mnist
from wganbench.errors import DataError

DIGITS = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx(array):
    """The format of MNIST: two zero bytes, the type (8: bytes), the number of axes, their lengths, the content."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


@pytest.fixture
def digits(data_folder, monkeypatch):
    """MNIST of two digits a split, with its checksums in the place of the published ones."""
    files = {}
    for images, labels in RAW_MNIST.values():
        files |= {images: idx(DIGITS + len(files)), labels: idx(np.array([3, 9], np.uint8))}
    for name, content in files.items():
        monkeypatch.setitem(torchvision_sets.MNIST_MD5, name.rpartition("/")[2], md5(content))
    return files


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("place", ["", "mnist"])
def test_mnist_is_read_from_its_idx_files_in_its_own_folder_or_a_shared_one(digits, data_folder, tmp_path, place):
    put(data_folder / place, digits)
    for split, offset in (("train", 0), ("test", 2)):
        found = obtain(mnist(split), tmp_path / "decoded")
        assert np.array_equal(found.images[:, 0], DIGITS + np.uint8(offset))
        assert (found.images.shape, found.labels.tolist()) == ((2, 1, 28, 28), [3, 9])


def test_mnist_at_half_its_size_is_averaged(digits, data_folder, tmp_path):
    put(data_folder, digits)
    found = obtain(mnist("train", 14), tmp_path / "decoded").images
    assert found.shape == (2, 1, 14, 14)
    assert found[0, 0, 0, 0] == 15  # of 0, 1, 28, 29: 14.5, halves upwards


def test_mnist_with_a_wrong_checksum_is_refused_though_torchvision_would_read_it(digits, data_folder, tmp_path):
    put(data_folder / "mnist", digits)
    path = data_folder / "mnist" / RAW_MNIST["train"][1]
    path.write_bytes(idx(np.array([3, 8], np.uint8)))
    assert MNIST(data_folder / "mnist", download=False).targets.tolist() == [3, 8]
    expected = torchvision_sets.MNIST_MD5[path.name]
    message = (
        rf"^{path}: wrong checksum, MD5 [0-9a-f]{{32}}, of the original {expected}; remove it and run 'wganbench data"
    )
    with pytest.raises(DataError, match=message):
        obtain(mnist("train"), tmp_path / "decoded")
    assert obtain(mnist("test"), tmp_path / "decoded").labels.tolist() == [3, 9]


@pytest.fixture
def batches(data_folder, monkeypatch):
    """CIFAR-10 of two images a batch, with its checksums in the place of the published ones."""

    def batch(number):
        data = np.random.default_rng(number).integers(0, 256, (2, 3072), np.uint8)
        return pickle.dumps({"data": data, "labels": [number, 9 - number]})

    names = [name for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]
    files = {name: batch(number) for number, name in enumerate(names)}
    files["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(files[name])] for name in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(files["batches.meta"])})
    return {f"cifar-10-batches-py/{name}": content for name, content in files.items()}


def test_cifar10_is_read_from_its_batches_in_their_order_with_channels_first(batches, data_folder, tmp_path):
    put(data_folder / "cifar10", batches)
    found = obtain(cifar10("train"), tmp_path / "decoded")
    rows = [np.random.default_rng(number).integers(0, 256, (2, 3072), np.uint8) for number in range(5)]
    assert np.array_equal(found.images, np.concatenate(rows).reshape(10, 3, 32, 32))
    assert found.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert obtain(cifar10("test"), tmp_path / "decoded").labels.tolist() == [5, 4]


def test_cifar10_with_a_wrong_checksum_is_refused_before_its_pickle_is_loaded(batches, data_folder, tmp_path):
    put(data_folder / "cifar10", batches)
    path = data_folder / "cifar10" / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(
        DataError, match=rf"^{path}: wrong checksum, MD5 [0-9a-f]{{32}}, of the original [0-9a-f]{{32}};"
    ):
        obtain(cifar10("train"), tmp_path / "decoded")
    assert list((tmp_path / "decoded").iterdir()) == []


def test_what_is_decoded_needs_its_files_no_more(batches, data_folder, tmp_path):
    put(data_folder, batches)
    first = obtain(cifar10("train"), tmp_path / "decoded").checksum
    for name in batches:
        (data_folder / name).unlink()
    assert obtain(cifar10("train"), tmp_path / "decoded").checksum == first


@pytest.mark.parametrize(("name", "recipe"), [("cifar10", cifar10), ("mnist", mnist)])
def test_a_set_that_is_not_there_is_reported_with_what_is_missing_and_where_it_goes(
    name, recipe, data_folder, tmp_path
):
    first = IMAGE_SETS[name].files["train"][0]
    message = (
        rf"^{name}: no {first} and \d more in {data_folder / name}; 'wganbench data fetch {name}' downloads it; without"
    )
    with pytest.raises(DataError, match=message):
        obtain(recipe("train"), tmp_path / "decoded")


def refuse(*arguments, **options):
    raise URLError("Name or service not known")


@pytest.mark.parametrize(
    ("name", "by_hand"), [("cifar10", "cifar-10-python.tar.gz"), ("mnist", "MNIST/raw with train-")]
)
def test_without_a_network_it_says_what_to_put_where(name, by_hand, data_folder, monkeypatch, capsys):
    monkeypatch.setattr(torchvision_utils, "_urlretrieve", refuse)
    message = (
        rf"^{name}: cannot be downloaded \(.*Name or service not known.*\); without a network, put {by_hand}.* into "
        rf"{data_folder / name} and run this again, or name a folder that has it with --data-dir$"
    )
    with pytest.raises(DataError, match=message) as caught:
        fetch(name)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_packed_files_that_were_put_there_are_unpacked_without_a_network(batches, digits, data_folder, monkeypatch):
    monkeypatch.setattr(torchvision_utils, "_urlretrieve", refuse)
    put(data_folder / "packed", batches)
    (data_folder / "cifar10").mkdir()
    packed = data_folder / "cifar10" / CIFAR10.filename
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(data_folder / "packed" / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(packed.read_bytes()))
    assert fetch("cifar10") == data_folder / "cifar10"
    resources = []
    for name, content in digits.items():
        zipped = gzip.compress(content)
        put(data_folder / "mnist", {f"{name}.gz": zipped})
        resources.append((f"{name.rpartition('/')[2]}.gz", md5(zipped)))
    monkeypatch.setattr(MNIST, "resources", resources)
    assert fetch("mnist") == data_folder / "mnist"


def test_what_is_there_is_not_fetched_again_but_checked(digits, data_folder, monkeypatch):
    monkeypatch.setattr(torchvision_utils, "_urlretrieve", refuse)
    put(data_folder, digits)
    assert fetch("mnist") == data_folder
    (data_folder / RAW_MNIST["test"][0]).write_bytes(b"damaged")
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: wrong checksum"):
        fetch("mnist")


def test_the_published_checksums_of_the_unpacked_digits_are_known_for_each_file():
    assert torchvision_sets.MNIST_MD5.keys() == {
        file.rpartition("/")[2] for files in RAW_MNIST.values() for file in files
    }
