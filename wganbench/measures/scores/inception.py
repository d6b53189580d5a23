"""``inception``: the Inception graph of 2015-12-05 that published scores are of, as torch-fidelity has converted it."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.backends import cudnn

from wganbench.errors import DataError
from wganbench.measures.scores import calibration
from wganbench.measures.scores.formulas import inception_score
from wganbench.measures.scores.network_outputs import Outputs, Seen
from wganbench.measures.scores.protocol import PUBLISHED, UNCALIBRATED

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

HASH = "6726825d"
"""What the SHA-256 of torch-fidelity's own file of weights begins with, as its name says."""

LAYERS = ["2048", "logits_unbiased"]
"""The published score takes the logits without the last layer's bias (Salimans et al., their code)."""

BATCH = 100
GIVE_WEIGHTS = "give the file with --inception-weights FILE"


class Inception:
    """The network; its scores count as of the published protocol where real images score what they are known to.

    Attributes:
        hash: Eight hex digits that the SHA-256 of the weights' file begins with.
    """

    def __init__(self, extractor: FeatureExtractorInceptionV3, weights_hash: str):
        self.extractor, self.hash = extractor, weights_hash
        self.device = torch.device("cpu")

    @property
    def protocol(self) -> str:
        """``inception@tf2015-10split-50k`` where ``self_test`` was passed, else one that is not published.

        How many samples and splits a score itself is of, its measure's options say.
        """
        passed = calibration.passed(self.hash, self.device.type)
        return PUBLISHED if passed else f"inception@{self.hash}{UNCALIBRATED}"

    def to(self, device: torch.device | str) -> Inception:
        """Itself, moved to ``device``."""
        self.extractor.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Outputs:
        """Of images ``(n, 3, height, width)`` uint8; the network resizes them to 299×299 as the graph does.

        Raises:
            DataError: If they are of another shape or kind.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"inception: images must be (n, 3, height, width) torch.uint8, got {found}")
        # Convolutions on CUDA are in TF32 unless told otherwise, and would differ from those elsewhere.
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            parts = [self.extractor(rows.to(self.device)) for rows in images.split(BATCH)]
        features, logits = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
        return Outputs(logits=logits, features=features)


def inception(weights: Path | None) -> Inception:
    """The network with its weights, of a file or of torch-fidelity's own download.

    Args:
        weights: None for the download, which torch keeps.

    Raises:
        DataError: If the weights cannot be had, or are not this network's.
    """
    path = weights or _download()
    weights_hash, state = _read(path)
    return Inception(_with_weights(path, state), weights_hash)


def self_test(network: Inception, real: Seen) -> tuple[float, float]:
    """Scores CIFAR-10's training images, and keeps what came of it: from now on runs are scored accordingly.

    Args:
        real: The 50,000 training images of CIFAR-10 itself, not of a lossy copy, before ``network``.

    Returns:
        Mean and standard deviation over ten splits.

    Raises:
        DataError: If they do not score what they are known to.
    """
    if real.network is not network:
        raise DataError("inception, self-test: the real images must be before the network that is tested")
    mean, spread = inception_score(real.outputs(calibration.REAL_SAMPLES).logits, splits=10)
    calibration.keep(network.hash, network.device.type, mean, spread)
    if not calibration.is_known(mean):
        raise DataError(
            f"inception, self-test: real images score {mean:.2f} ± {spread:.2f}, must be {calibration.REAL_SCORE} ± "
            f"{calibration.REAL_TOLERANCE}: other weights than the graph of 2015-12-05, or not CIFAR-10's training "
            f"images; scores go by {network.protocol} and stand beside nothing published"
        )
    return mean, spread


def _download() -> Path:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=HASH, progress=False)
    except (OSError, RuntimeError) as error:  # no network; not the file of that hash
        raise DataError(f"inception: its weights cannot be downloaded ({_first_line(error)}); {GIVE_WEIGHTS}") from None
    return path


def _read(path: Path) -> tuple[str, Mapping[str, Tensor]]:
    """Hash and content of a file of weights, of which no code is run."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {GIVE_WEIGHTS}") from None
    try:
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # what is no pickle may end the reading of it in any way
        raise DataError(f"{path}: not a file of weights alone ({_first_line(error)}); {GIVE_WEIGHTS}") from None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise DataError(f"{path}: holds {type(state).__name__}, not tensors by name; {GIVE_WEIGHTS}")
    return hashlib.sha256(content).hexdigest()[:8], state


def _with_weights(path: Path, state: Mapping[str, Tensor]) -> FeatureExtractorInceptionV3:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    checked = io.BytesIO()  # torch-fidelity would unpickle the file itself, whatever is in it
    torch.save(dict(state), checked)
    checked.seek(0)
    try:
        return FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, feature_extractor_weights_path=checked)
    except RuntimeError as error:
        wrong = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise DataError(f"{path}: not the weights of inception-v3-compat ({wrong[:200]}); {GIVE_WEIGHTS}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
