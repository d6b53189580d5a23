"""The stored results of Inception self-tests, which decide whether scores are comparable with published ones.

The data folder has one file for each combination of weights, library versions and kind of device; a new combination
must pass the test again.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

from wganbench.data.locations import data_folder
from wganbench.errors import DataError
from wganbench.files import replacing

REAL_SCORE = 11.24
REAL_TOLERANCE = 0.12
REAL_SAMPLES = 50_000
"""CIFAR-10's training images under the published protocol: 11.24 ± 0.12 (Miyato et al. 2018, table 2)."""

LIBRARIES = ("torch", "torchvision", "torch-fidelity")


def path_of(weights_hash: str, device: str) -> Path:
    """Returns the path of the file with the result of a self-test.

    Args:
        weights_hash: First eight hex digits of the SHA-256 of the weights' file.
        device: Kind of device, ``cpu`` or ``cuda``.
    """
    versions = "-".join(f"{library}{metadata.version(library)}" for library in LIBRARIES)
    return data_folder() / "inception" / f"{weights_hash}-{device}-{versions}.json"


def keep(weights_hash: str, device: str, score: float, spread: float) -> None:
    """Stores the score of the real images, whatever it is, in place of any earlier result.

    Raises:
        DataError: If the file cannot be written.
    """
    path = path_of(weights_hash, device)
    content = {"score": score, "spread": spread, "samples": REAL_SAMPLES}
    try:
        with replacing(path) as file:
            file.write(json.dumps(content).encode() + b"\n")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); make room there, or name another folder with --data-dir"
        ) from None


def passed(weights_hash: str, device: str) -> bool:
    """Returns whether the real images got their known score; an unreadable file counts as missing."""
    try:
        content = json.loads(path_of(weights_hash, device).read_text(encoding="utf-8"))
        return content["samples"] == REAL_SAMPLES and is_known(float(content["score"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def is_known(score: float) -> bool:
    """Returns whether ``score`` is the known score of real images, within the tolerance."""
    return abs(score - REAL_SCORE) <= REAL_TOLERANCE
