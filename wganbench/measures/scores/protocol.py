"""Score protocols: what their names mean, and what the files of classifiers say of themselves; told without torch.

``inception@tf2015-10split-50k``: as published scores are made, by a network that passed its self-test.
``inception@HASH-uncalibrated``: by one that did not, or was not put to it. ``classifier@shapes10-32-1a2b3c4d``: by the
classifier of ``shapes10-32-1a2b3c4d.safetensors``, trained on shapes10 at 32×32; the digits are what the SHA-256 of the
file begins with. It lies in ``classifiers`` of the data folder, or among those that ship.
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

PUBLISHED = "inception@tf2015-10split-50k"
UNCALIBRATED = "-uncalibrated"

FORMAT = "1"
"""Of what a file says of its classifier."""
DATA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NAME = re.compile(rf"{DATA_NAME.pattern}-\d+-[0-9a-f]{{8}}")
ENDING = ".safetensors"


@dataclass(frozen=True)
class About:
    """What is said of a classifier, in its file.

    Attributes:
        data: Name of the data set.
        train_checksum, test_checksum: SHA-256 of its training and test images and labels.
        channels, size, classes, width: Of the network; images are square.
        test_accuracy: Share of the test images that it classifies as labelled, with the weights of the file.
        stated_accuracy: The share that was asked for before it was trained.
        recipe: Name and version of the recipe.
        epochs, seed: Of the training.
        real_score, real_score_spread: Inception score of the test images over 10 splits, and its standard deviation:
            what a generator of the data set itself would score.
        real_samples: How many test images these are.
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


def of_classifier(name: str) -> str:
    """The protocol of the classifier whose file is called so, without the ending."""
    return f"classifier@{name}"


def classifier_in(protocol: str) -> str | None:
    """The name in ``of_classifier``; None for a protocol of something else."""
    kind, _, name = protocol.partition("@")
    return name if kind == "classifier" else None


# ---- where classifiers lie ------------------------------------------------------------------------------------------


def own_folder() -> Path:
    """Of the classifiers that were trained here."""
    return data_folder() / "classifiers"


def shipped_folder() -> Path:
    """Of those behind the committed records: in an installed package its own, in a checkout with the results."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "classifiers"
    return installed if installed.is_dir() else package.parent / "results" / "classifiers"


def path_of(name: str) -> Path:
    """Where the classifier of that name lies; it may be missing, and is then looked for among those that ship."""
    own = own_folder() / f"{name}{ENDING}"
    return own if own.exists() else shipped_folder() / own.name


def paths() -> list[Path]:
    """All that could be classifiers, by their names."""
    found = {path.name: path for folder in (shipped_folder(), own_folder()) for path in folder.glob(f"[!.]*{ENDING}")}
    return [found[name] for name in sorted(found)]


# ---- what they say of themselves ------------------------------------------------------------------------------------


def read_about(path: Path) -> About:
    """What a file says of its classifier; the weights are not looked at.

    Raises:
        DataError: If it is not there, not whole, not a classifier's, or not the file that its name says.
    """
    return about_in(read_content(path), path)


def read_content(path: Path) -> bytes:
    """All of a file that is named as a classifier's is."""
    if not NAME.fullmatch(path.stem) or path.suffix != ENDING:
        raise DataError(f"{path}: a classifier's file is named DATA-SIZE-HASH{ENDING}, as shapes10-32-1a2b3c4d{ENDING}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'no file'}); restore it or train one") from None


def about_in(content: bytes, path: Path) -> About:
    """What the ``content`` of the file at ``path`` says of its classifier.

    Raises:
        DataError: As ``read_about``.
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
        raise DataError(f"{path}: what it says of itself is wrong ({error}); train the classifier anew") from None


def _metadata(content: bytes, path: Path) -> Mapping[str, str]:
    """A safetensors file is the length of its header in 8 bytes, the header in JSON, and as much as that says."""
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
