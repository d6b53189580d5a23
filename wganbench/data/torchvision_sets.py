"""CIFAR-10 and MNIST, downloaded, checked and read by torchvision."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torchvision.datasets import CIFAR10, MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from wganbench.data.cache import Batch, Recipe, Split
from wganbench.data.locations import RAW_MNIST, data_folder, locate
from wganbench.data.resize import box_average
from wganbench.errors import DataError
from wganbench.reading import read_bytes

VERSION = 1
MAX_BYTES = 2**28
"""The largest file that is read; the largest published one has 47 million bytes."""
SIDES = {"cifar10": 32, "mnist": 28}

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 sums of the unpacked files; torchvision knows only those of the packed ones and never checks unpacked files."""


def cifar10(split: Split, size: int = SIDES["cifar10"]) -> Recipe:
    """The recipe that decodes CIFAR-10; below 32, images are box-averaged."""

    def batches() -> Iterator[Batch]:
        root = locate("cifar10", split)
        check("cifar10", split, root)
        found = CIFAR10(root, train=split == "train", download=False)
        images = np.ascontiguousarray(found.data.transpose(0, 3, 1, 2))
        yield box_average(images, size), np.array(found.targets, np.int64)

    return Recipe("cifar10", split, f"3x{size}x{size}", VERSION, _key("cifar10", split), batches)


def mnist(split: Split, size: int = SIDES["mnist"]) -> Recipe:
    """The recipe that decodes MNIST; below 28, images are box-averaged."""

    def batches() -> Iterator[Batch]:
        root = locate("mnist", split)
        check("mnist", split, root)
        images, labels = (root / file for file in RAW_MNIST[split])
        pixels = read_image_file(str(images)).numpy()[:, None]
        yield box_average(pixels, size), read_label_file(str(labels)).numpy().astype(np.int64)

    return Recipe("mnist", split, f"1x{size}x{size}", VERSION, _key("mnist", split), batches)


def check(name: str, split: Split, root: Path) -> None:
    """Checks the files of a split in ``root`` against their published MD5 sums.

    Raises:
        DataError: For the first file with a different sum, with both sums.
    """
    for file, md5 in _sums(name, split).items():
        path = root / file
        found = _md5(path)
        if found != md5:
            raise DataError(
                f"{path}: wrong checksum, MD5 {found}, of the original {md5}; remove it and run "
                f"'wganbench data fetch {name}', or use it as a folder of images under a name of its own"
            )


def _md5(path: Path) -> str:
    """Returns the MD5 sum of a file, or why it has none."""
    try:
        return hashlib.md5(read_bytes(path, MAX_BYTES), usedforsecurity=False).hexdigest()
    except FileNotFoundError:
        return "no file"
    except OSError as error:
        return f"unknown ({error.strerror})"


def _sums(name: str, split: Split) -> dict[str, str]:
    """The MD5 sum of each file, by its path relative to the set's folder."""
    if name == "mnist":
        return {file: MNIST_MD5[Path(file).name] for file in RAW_MNIST[split]}
    sums = {**dict(CIFAR10.train_list), **dict(CIFAR10.test_list), CIFAR10.meta["filename"]: CIFAR10.meta["md5"]}
    return {f"{CIFAR10.base_folder}/{file}": md5 for file, md5 in sums.items()}


def _key(name: str, split: Split) -> str:
    """A key of the published content, known without any file, as files are checked before they are decoded."""
    return hashlib.sha256(repr(sorted(_sums(name, split).items())).encode()).hexdigest()


def fetch(name: str) -> Path:
    """Returns the folder of a set, after downloading what is missing; an archive that is there is only unpacked.

    Raises:
        DataError: If the set is not the original or cannot be downloaded; the message says where to put it by hand.
    """
    try:
        folder = _found(name)
    except DataError:
        folder = data_folder() / name
        _download(name, folder)
    for split in ("train", "test"):
        check(name, split, folder)
    return folder


def _found(name: str) -> Path:
    folders = {locate(name, split) for split in ("train", "test")}
    return folders.pop() if len(folders) == 1 else data_folder() / name


def _download(name: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():  # torchvision prints its attempts
            # It extracts without a filter, and Python 3.12 and 3.13 warn of that; the checksum makes it safe.
            warnings.filterwarnings("ignore", "Python 3.14 will, by default, filter", DeprecationWarning)
            {"cifar10": CIFAR10, "mnist": MNIST}[name](folder, download=True)
    except (OSError, RuntimeError, EOFError, ValueError, tarfile.TarError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise DataError(
            f"{name}: cannot be downloaded ({reason}); without a network, put {BY_HAND[name]} into {folder} and run "
            f"this again, or name a folder that has it with --data-dir"
        ) from None


BY_HAND = {
    "cifar10": f"{CIFAR10.filename} (MD5 {CIFAR10.tgz_md5}) or the unpacked {CIFAR10.base_folder}",
    "mnist": f"MNIST/raw with {', '.join(MNIST_MD5)}, packed as .gz or not,",
}
