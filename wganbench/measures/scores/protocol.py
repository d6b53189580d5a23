"""The names of score protocols and the metadata in classifier files, read without torch.

``inception@tf2015-10split-50k`` is the protocol of published scores, by a network that passed its self-test.
Records name the network by it; a score of other counts is shown as ``inception@tf2015-10split-5k``, by its own.
``inception@HASH-uncalibrated`` is that of a network that failed the self-test or did not take it.
``classifier@shapes10-32-1a2b3c4d`` is that of the classifier in ``shapes10-32-1a2b3c4d.safetensors``, trained on
shapes10 at 32×32; the hex digits are the first of the file's SHA-256. The file is in ``classifiers`` of the data
folder, or among those that are shipped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from wganbench.data.locations import data_folder
from wganbench.errors import DataError
from wganbench.reading import read_bytes

PUBLISHED_NETWORK = "inception@tf2015"
PUBLISHED = f"{PUBLISHED_NETWORK}-10split-50k"
UNCALIBRATED = "-uncalibrated"

STACKED = "stacked"
"""The kind of protocol of a classifier that is asked for each of several stacked images."""

FORMAT = "1"
"""Version of the metadata in a classifier's file."""
DATA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NAME = re.compile(rf"{DATA_NAME.pattern}-\d+-[0-9a-f]{{8}}")
ENDING = ".safetensors"
MAX_BYTES = 2 * 10**6
"""The largest size of a classifier's file."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a classifier is trained.

    Attributes:
        recipe: A key of ``train_classifier.RECIPES``; None for that of the data.
        accuracy: Share of the test images that must be labelled correctly; None for that of the recipe.
        epochs: Number of passes over the training images; None for that of the recipe.
        seed: The seed of the training.
        threads: Number of CPU threads, which the last bits depend on.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    recipe: str | None
    accuracy: float | None
    epochs: int | None
    seed: int
    threads: int
    device: str


@dataclass(frozen=True)
class About:
    """The metadata of a classifier, stored in its file.

    Attributes:
        data: Name of the data set.
        train_checksum, test_checksum: SHA-256 of its training and test images and labels.
        channels, size, classes, width: Dimensions of the network; images are square.
        test_accuracy: Share of the test images that it labels correctly, with the weights of the file.
        stated_accuracy: Share that was required before training.
        recipe: Name and version of the recipe.
        epochs, seed: Number of epochs and seed of the training.
        real_score, real_score_spread: Inception score of the test images over 10 splits, and its standard deviation:
            the score of a generator that reproduces the data set.
        real_samples: Number of these test images.
    """

    data: str
    train_checksum: str
    test_checksum: str
    channels: int
    size: int
    classes: int
    width: int
    test_accuracy: float
    stated_accuracy: float
    recipe: str
    epochs: int
    seed: int
    real_score: float
    real_score_spread: float
    real_samples: int


def with_counts(protocol: str, samples: int, splits: int) -> str:
    """Returns the protocol with the numbers of samples and splits of a score, if its name has these numbers."""
    if protocol != PUBLISHED:
        return protocol
    count = f"{samples // 1000}k" if samples % 1000 == 0 else str(samples)
    return f"{PUBLISHED_NETWORK}-{splits}split-{count}"


def of_classifier(name: str) -> str:
    """The protocol of the classifier whose file has this name, without the suffix."""
    return f"classifier@{name}"


def of_stacked(name: str) -> str:
    """The protocol of that classifier where it is asked for each of several stacked images."""
    return f"{STACKED}@{name}"


def classifier_in(protocol: str) -> str | None:
    """The inverse of ``of_classifier`` and ``of_stacked``: the file name in a protocol, or None if it has none."""
    kind, _, name = protocol.partition("@")
    return name if kind in ("classifier", STACKED) else None


# ---- where classifiers are ------------------------------------------------------------------------------------------


def own_folder() -> Path:
    """The folder of the classifiers trained on this machine."""
    return data_folder() / "classifiers"


def shipped_folder() -> Path:
    """The folder of the classifiers behind the committed records: inside an installed package, or in the results."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "classifiers"
    return installed if installed.is_dir() else package.parent / "results" / "classifiers"


def path_of(name: str) -> Path:
    """The path of a classifier in ``own_folder`` if it exists there, else in ``shipped_folder``; it may be missing."""
    own = own_folder() / f"{name}{ENDING}"
    return own if own.exists() else shipped_folder() / own.name


def paths() -> list[Path]:
    """All files that could be classifiers, sorted by name."""
    found = {path.name: path for folder in (shipped_folder(), own_folder()) for path in folder.glob(f"[!.]*{ENDING}")}
    return [found[name] for name in sorted(found)]


# ---- their metadata -------------------------------------------------------------------------------------------------


def read_about(path: Path) -> About:
    """Reads the metadata of a classifier, without looking at its weights.

    Raises:
        DataError: If the file is missing, incomplete, not a classifier's, or does not match the hash in its name.
    """
    return about_in(read_content(path), path)


def read_content(path: Path) -> bytes:
    """Reads a classifier's file; raises DataError if its name has the wrong form or it cannot be read."""
    if not NAME.fullmatch(path.stem) or path.suffix != ENDING:
        raise DataError(f"{path}: a classifier's file is named DATA-SIZE-HASH{ENDING}, as shapes10-32-1a2b3c4d{ENDING}")
    try:
        return read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'no file'}); restore it or train one") from None


def about_in(content: bytes, path: Path) -> About:
    """Parses the metadata in the ``content`` of the file at ``path``.

    Raises:
        DataError: As for ``read_about``.
    """
    said = _metadata(content, path)
    digest = hashlib.sha256(content).hexdigest()
    if not path.stem.endswith(f"-{digest[:8]}"):
        raise DataError(f"{path}: its SHA-256 begins with {digest[:8]}, its name says another; restore it")
    if said.get("format") != FORMAT:
        raise DataError(f"{path}: its format is {said.get('format')!r}; this version reads {FORMAT!r}")
    kinds = {"str": str, "int": int, "float": float}
    try:
        return About(**{field.name: kinds[str(field.type)](said[field.name]) for field in fields(About)})
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: its metadata is wrong ({error}); train the classifier again") from None


def _metadata(content: bytes, path: Path) -> Mapping[str, str]:
    """Parses a safetensors file: the header's length in 8 bytes, the header in JSON, and the data that it describes."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        said = header.pop("__metadata__", {})
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
        whole = 8 + length + max(ends) == len(content) and isinstance(said, dict)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise DataError(f"{path}: not a whole safetensors file; restore it or train one")
    return said
