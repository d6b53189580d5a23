"""Files of classifiers: weights in safetensors with what is said of them, named by their own SHA-256.

``results/classifiers/shapes10-32-1a2b3c4d.safetensors``: trained on shapes10 at 32×32, and the eight hex digits that
its SHA-256 begins with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wganbench.errors import DataError
from wganbench.scores.network import SMALLEST, shapes_of

FORMAT = "1"
MAX_BYTES = 2 * 10**6
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


def content_of(about: About, state: Mapping[str, Tensor]) -> tuple[str, bytes]:
    """Name, without its ending, and content of the file of a classifier.

    Args:
        state: As ``network.folded_state`` gives it.
    """
    said = {key: value if isinstance(value, str) else repr(value) for key, value in asdict(about).items()}
    content = _in_order(save({name: tensor.contiguous() for name, tensor in state.items()}, {"format": FORMAT, **said}))
    if len(content) > MAX_BYTES:
        raise DataError(f"classifier: {len(content):,} bytes; a file has at most {MAX_BYTES:,}: take a smaller width")
    return f"{about.data}-{about.size}-{hashlib.sha256(content).hexdigest()[:8]}", content


def _in_order(content: bytes) -> bytes:
    """The same safetensors file with its header sorted, which the library writes in any order."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def read_file(path: Path) -> tuple[About, dict[str, Tensor]]:
    """What a file says of its classifier, and the weights, float16.

    Raises:
        DataError: If it is not there, not whole, not a classifier's, or not the file that its name says.
    """
    if not NAME.fullmatch(path.stem) or path.suffix != ENDING:
        raise DataError(f"{path}: a classifier's file is named DATA-SIZE-HASH{ENDING}, as shapes10-32-1a2b3c4d{ENDING}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'no file'}); restore it or train one") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a whole safetensors file ({_first_line(error)}); restore it") from None
    if not path.stem.endswith(f"-{digest[:8]}"):
        raise DataError(f"{path}: its SHA-256 begins with {digest[:8]}, its name says another; restore it")
    about = _about(path, said)
    _check_weights(path, about, state)
    return about, state


def _about(path: Path, said: Mapping[str, str]) -> About:
    if said.get("format") != FORMAT:
        raise DataError(f"{path}: its format is {said.get('format')!r}; this version reads {FORMAT!r}")
    kinds = {"str": str, "int": int, "float": float}
    try:
        about = About(**{field.name: kinds[str(field.type)](said[field.name]) for field in fields(About)})
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: what it says of itself is wrong ({error}); train the classifier anew") from None
    if not (min(about.channels, about.classes, about.width) >= 1 and about.size >= SMALLEST):
        raise DataError(f"{path}: channels, classes and width must be at least 1 and size at least {SMALLEST}")
    return about


def _check_weights(path: Path, about: About, state: Mapping[str, Tensor]) -> None:
    expected = shapes_of(about.channels, about.classes, about.width)
    if odd := sorted(state.keys() ^ expected.keys()):
        raise DataError(f"{path}: tensor {odd[0]!r} is too many or missing; must be those of width {about.width}")
    for name, tensor in state.items():
        if tensor.dtype != torch.float16 or tuple(tensor.shape) != expected[name]:
            found = f"{tuple(tensor.shape)} {tensor.dtype}"
            raise DataError(f"{path}: tensor {name!r} is {found}; must be {expected[name]} torch.float16")
        if not tensor.isfinite().all():
            raise DataError(f"{path}: tensor {name!r} is not finite; train the classifier anew")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
