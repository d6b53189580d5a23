"""``inception``: the Inception graph of 2015-12-05, by which published scores are computed, from torch-fidelity.

The stored results of its self-tests decide whether scores are comparable with published ones. The data folder has one
file for each combination of weights, library versions and kind of device; a new combination must pass the test again.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.backends import cudnn

from wganbench.data.locations import data_folder
from wganbench.errors import DataError, first_line
from wganbench.files import replacing
from wganbench.measures.scores.formulas import inception_score
from wganbench.measures.scores.network_outputs import NetworkOutputs, Outputs
from wganbench.measures.scores.protocol import PUBLISHED, UNCALIBRATED
from wganbench.reading import read_bytes

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

HASH = "6726825d"
"""First digits of the SHA-256 of torch-fidelity's own file of weights, as in the file's name."""

LAYERS = ["2048", "logits_unbiased"]
"""Published scores use the logits without the last layer's bias (code of Salimans et al.)."""

BATCH = 100
REAL_SCORE = 11.24
REAL_TOLERANCE = 0.12
REAL_SAMPLES = 50_000
"""CIFAR-10's training images under the published protocol: 11.24 ± 0.12 (Miyato et al. 2018, table 2)."""

LIBRARIES = ("torch", "torchvision", "torch-fidelity")
MAX_BYTES = 2**29
"""The largest file of weights; torch-fidelity's own has 96 million bytes."""
GIVE_WEIGHTS = "give the file with --inception-weights FILE"


class Inception:
    """The Inception network; its scores have the published protocol only if real images get their known score.

    Attributes:
        hash: First eight hex digits of the SHA-256 of the weights' file.
    """

    def __init__(self, extractor: FeatureExtractorInceptionV3, weights_hash: str):
        self.extractor, self.hash = extractor, weights_hash
        self.device = torch.device("cpu")

    @property
    def protocol(self) -> str:
        """``inception@tf2015-10split-50k`` if ``self_test`` was passed, otherwise a name that no published score has.

        The numbers of samples and splits behind a score are in the options of its measure.
        """
        return PUBLISHED if passed(self.hash, self.device.type) else f"inception@{self.hash}{UNCALIBRATED}"

    def to(self, device: torch.device | str) -> Inception:
        """Moves the network to ``device`` and returns the object itself."""
        self.extractor.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Outputs:
        """Computes the outputs for images ``(n, 3, height, width)``, uint8, resized to 299×299 as the graph does.

        Raises:
            DataError: If the images have another shape or dtype.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"inception: images must be (n, 3, height, width) torch.uint8, got {found}")
        # By default, convolutions on CUDA use TF32, and would differ from those on other devices.
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            parts = [self.extractor(rows.to(self.device)) for rows in images.split(BATCH)]
        features, logits = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
        return Outputs(logits=logits, features=features)


def inception(weights: Path | None) -> Inception:
    """Loads the network with weights from a file or from torch-fidelity's own download.

    Args:
        weights: File of weights; None for the download, which torch caches.

    Raises:
        DataError: If the weights cannot be obtained, or are not those of this network.
    """
    path = weights or _download()
    weights_hash, state = _read(path)
    return Inception(_with_weights(path, state), weights_hash)


def self_test(network: Inception, real: NetworkOutputs) -> tuple[float, float]:
    """Scores CIFAR-10's training images and stores the result, which sets the protocol of later scores.

    Args:
        network: The network to test.
        real: Its outputs for the 50,000 training images of the original CIFAR-10, not of a lossy copy.

    Returns:
        Mean and standard deviation over ten splits.

    Raises:
        DataError: If the images do not get their known score, or ``real`` belongs to another network.
    """
    if real.network is not network:
        raise DataError("inception, self-test: the outputs for real images must be those of the network under test")
    mean, spread = inception_score(real.outputs(REAL_SAMPLES).logits, splits=10)
    keep(network.hash, network.device.type, mean, spread)
    if not is_known(mean):
        raise DataError(
            f"inception, self-test: real images score {mean:.2f} ± {spread:.2f}, must be {REAL_SCORE} ± "
            f"{REAL_TOLERANCE}: other weights than the graph of 2015-12-05, or not CIFAR-10's training "
            f"images; scores have the protocol {network.protocol} and are not comparable with published ones"
        )
    return mean, spread


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
        content = json.loads(read_bytes(path_of(weights_hash, device), MAX_BYTES))
        return content["samples"] == REAL_SAMPLES and is_known(float(content["score"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def is_known(score: float) -> bool:
    """Returns whether ``score`` is the known score of real images, within the tolerance."""
    return abs(score - REAL_SCORE) <= REAL_TOLERANCE


def _download() -> Path:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=HASH, progress=False)
    except (OSError, RuntimeError) as error:  # no internet connection, or a file with another hash
        raise DataError(
            f"inception: its weights cannot be downloaded ({first_line(error)[:200]}); {GIVE_WEIGHTS}"
        ) from None
    return path


def _read(path: Path) -> tuple[str, Mapping[str, Tensor]]:
    """Reads a file of weights without running code in it; returns its hash and content."""
    try:
        content = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {GIVE_WEIGHTS}") from None
    try:
        _check_packing(content)
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # reading anything but a pickle may raise any error
        raise DataError(f"{path}: not a file of weights alone ({first_line(error)[:200]}); {GIVE_WEIGHTS}") from None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise DataError(f"{path}: holds {type(state).__name__}, not tensors by name; {GIVE_WEIGHTS}")
    return hashlib.sha256(content).hexdigest()[:8], state


def _check_packing(content: bytes) -> None:
    """Raises ValueError for an archive that torch would have to unpack, to any size."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return  # files of older versions of torch are no archives
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("packed, which torch does not do")


def _with_weights(path: Path, state: Mapping[str, Tensor]) -> FeatureExtractorInceptionV3:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    checked = io.BytesIO()  # given the original file, torch-fidelity would run any code in its pickle
    torch.save(dict(state), checked)
    checked.seek(0)
    try:
        return FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, feature_extractor_weights_path=checked)
    except RuntimeError as error:
        wrong = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise DataError(f"{path}: not the weights of inception-v3-compat ({wrong[:200]}); {GIVE_WEIGHTS}") from None
