"""A list of the image sets and their state on this machine, made without torch and without reading any image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.data.cache import SUFFIX, Split, read_header
from wganbench.data.locations import IMAGE_SETS, data_folder, decoded_folder, missing


@dataclass(frozen=True)
class Held:
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


def inventory() -> list[Held]:
    """Lists the named sets, decoded or not, then all other decoded sets."""
    files = [(path, header) for path in decoded_files() if (header := read_header(path)) is not None]
    held = [row for name in IMAGE_SETS for split in IMAGE_SETS[name].images for row in _named(name, split, files)]
    return [*held, *(_decoded(path, header) for path, header in files if header["name"] not in IMAGE_SETS)]


def decoded_files() -> list[Path]:
    """The decoded files in the data folder, sorted."""
    return sorted(path for path in decoded_folder().glob(f"*{SUFFIX}") if not path.name.startswith("."))


def _named(name: str, split: Split, files: list[tuple[Path, dict[str, Any]]]) -> Iterator[Held]:
    found = [_decoded(path, about) for path, about in files if (about["name"], about["split"]) == (name, split)]
    yield from found
    if not found:
        about, own = IMAGE_SETS[name], data_folder() / name
        there = next((folder for folder in (own, data_folder()) if not missing(name, split, folder)), None)
        state = "drawn when used" if not about.files[split] else "missing" if there is None else "there"
        place = decoded_folder() if not about.files[split] else there or own
        yield Held(name, split, about.images[split], _times(about.shape), state, "", place)


def _decoded(path: Path, header: dict[str, Any]) -> Held:
    images, *shape = header["shape"]
    return Held(header["name"], header["split"], images, _times(shape), "decoded", header["checksum"], path)


def _times(shape: tuple[int, ...] | list[int]) -> str:
    return "×".join(map(str, shape))
