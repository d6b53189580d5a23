"""Lists, downloads, decodes and verifies image sets, for ``wganbench data list``, ``fetch`` and ``verify``.

The list is made without torch and without reading any image, so torchvision is imported only where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from wganbench.data import image_folder, imagenet32, shapes10
from wganbench.data.cache import SUFFIX, About, Recipe, Split, obtain, read, read_about
from wganbench.data.locations import IMAGE_SETS, JPEG_COPY, data_folder, decoded_folder, missing
from wganbench.errors import DataError

SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Entry:
    """One split of an image set, or one decoded file of it.

    Attributes:
        name, split: Name and split of the set.
        images: Number of images.
        shape: Shape of an image, such as ``"3×32×32"``.
        state: ``decoded``; ``there``, to be decoded when it is used; ``drawn when used``; or ``missing``.
        checksum: Checksum of the decoded set, according to its file; empty if it is not decoded.
        place: Path where it is, or where it is expected.
    """

    name: str
    split: str
    images: int
    shape: str
    state: str
    checksum: str
    place: Path


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        text: One line: what was checked, and the result.
        whole: Whether the check passed.
    """

    text: str
    whole: bool


def inventory() -> list[Entry]:
    """Lists the named sets and the JPEG copy of CIFAR-10, decoded or not, then all other decoded sets."""
    files = [(path, about) for path in decoded_files() if (about := read_about(path)) is not None]
    named = [row for name in IMAGE_SETS for split in IMAGE_SETS[name].images for row in _named_rows(name, split, files)]
    copy = [row for split in SPLITS for row in _copy_rows(split, files)]
    others = [_decoded_row(path, about) for path, about in files if about.name not in [*IMAGE_SETS, JPEG_COPY]]
    return [*named, *copy, *others]


def decoded_files() -> list[Path]:
    """The decoded files in the data folder, sorted."""
    return sorted(path for path in decoded_folder().glob(f"*{SUFFIX}") if not path.name.startswith("."))


def _named_rows(name: str, split: Split, files: list[tuple[Path, About]]) -> Iterator[Entry]:
    yield from (found := _decoded_rows(name, split, files))
    if not found:
        published, own = IMAGE_SETS[name], data_folder() / name
        there = next((folder for folder in (own, data_folder()) if not missing(name, split, folder)), None)
        state = "drawn when used" if not published.files[split] else "missing" if there is None else "there"
        place = decoded_folder() if not published.files[split] else there or own
        yield Entry(name, split, published.images[split], _times(published.shape), state, "", place)


def _copy_rows(split: Split, files: list[tuple[Path, About]]) -> Iterator[Entry]:
    yield from (found := _decoded_rows(JPEG_COPY, split, files))
    if not found:
        original, place = IMAGE_SETS["cifar10"], data_folder() / JPEG_COPY / split
        state = "there" if place.is_dir() else "missing"
        yield Entry(JPEG_COPY, split, original.images[split], _times(original.shape), state, "", place)


def _decoded_rows(name: str, split: Split, files: list[tuple[Path, About]]) -> list[Entry]:
    return [_decoded_row(path, about) for path, about in files if (about.name, about.split) == (name, split)]


def _decoded_row(path: Path, about: About) -> Entry:
    images, *shape = about.shape
    return Entry(about.name, about.split, images, _times(shape), "decoded", about.checksum, path)


def _times(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape))


def fetch(name: str) -> Iterator[str]:
    """Downloads an image set if it is missing and decodes it, or saves the JPEG copy of one; yields lines about it.

    Raises:
        DataError: If it cannot be obtained; the message says where to put it by hand.
    """
    from wganbench.data import torchvision_sets

    if name == JPEG_COPY:
        yield from _fetch_copy()
        return
    if name not in IMAGE_SETS:
        raise DataError(f"{name}: cannot be fetched; must be one of {', '.join([*IMAGE_SETS, JPEG_COPY])}")
    source = "mnist" if name == "stacked_mnist" else name
    if source in torchvision_sets.SIDES:
        torchvision_sets.fetch(source)
    for split in SPLITS:
        found = obtain(_recipe(name, split), decoded_folder())
        yield f"{name} {split}: {len(found.images):,} images, SHA-256 {found.checksum}"


def _fetch_copy() -> Iterator[str]:
    from wganbench.data import cifar10_jpeg, torchvision_sets

    folder = data_folder() / JPEG_COPY
    if not cifar10_jpeg.is_there(folder):
        cifar10_jpeg.make(torchvision_sets.fetch("cifar10"), folder)
    yield f"{folder}: CIFAR-10 as JPEG, the files of the committed records, digest {cifar10_jpeg.DIGEST}"


def _recipe(name: str, split: Split) -> Recipe:
    from wganbench.data import stacked_mnist, torchvision_sets

    make = {
        "shapes10": shapes10.recipe,
        "cifar10": torchvision_sets.cifar10,
        "mnist": torchvision_sets.mnist,
        "stacked_mnist": stacked_mnist.recipe,
        "imagenet32": imagenet32.recipe,
    }
    return make[name](split)


def verify(name: str | None = None) -> Iterator[Check]:
    """Checks published and decoded files against their checksums, for the set ``name`` or for all sets.

    A folder of images called ``name`` that is not decoded yet is read for its digest.

    Raises:
        DataError: If there are no files of ``name``, or its folder has another layout.
    """
    found = False
    for each, split in product(IMAGE_SETS, SPLITS):
        if name in (None, each) and IMAGE_SETS[each].files[split]:
            for folder in (data_folder() / each, data_folder()):
                if not missing(each, split, folder):
                    found = True
                    yield _published(each, split, folder)
    for path in decoded_files():
        if name is None or re.match(rf"{re.escape(name)}-(train|test)-", path.name):
            found = True
            yield _decoded(path)
    if name is not None and not found:
        folder = data_folder() / name
        if name not in IMAGE_SETS and folder.is_dir():
            digest = image_folder.digest(folder)
            yield Check(f'{folder}: not decoded yet; of the folder, digest = "{digest}"', whole=True)
            return
        known = f"; {IMAGE_SETS[name].remedy}" if name in IMAGE_SETS and IMAGE_SETS[name].remedy else ""
        raise DataError(f"{name}: no files of it in {data_folder()}{known}")


def _published(name: str, split: Split, folder: Path) -> Check:
    from wganbench.data import torchvision_sets

    try:
        if name in torchvision_sets.SIDES:
            torchvision_sets.check(name, split, folder)
        else:
            for _ in _recipe(name, split).batches():  # no checksums of its batches have been published
                pass
    except DataError as error:
        return Check(str(error), whole=False)
    return Check(f"{folder}: {name} {split} as published", whole=True)


def _decoded(path: Path) -> Check:
    found = read(path)
    if found is None:
        return Check(f"{path}: damaged; it is decoded again when it is used, or remove it", whole=False)
    about = read_about(path)
    digest = "" if about is None or about.name in IMAGE_SETS else f'; of the folder, digest = "{about.key}"'
    return Check(f"{path}: whole, SHA-256 {found.checksum}{digest}", whole=True)
