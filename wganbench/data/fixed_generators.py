"""Fixed generators: maps of the real samples that take the place of a generator and are never trained.

A translation and a scaling are optimal transports for the cost ‖x − y‖. The mean cost of any coupling is at least
E f(x) − E f(y) for every 1-Lipschitz f (Kantorovich and Rubinstein), and here one f attains the length of every pair:
± the first coordinate for a translation along it, ± ‖x‖ for a scaling. So no coupling costs less than the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from wganbench.data.closed_form import ClosedForm, Segment
from wganbench.data.contract import require_positive
from wganbench.data.toy import Mixture, SwissRoll
from wganbench.errors import DataError

Data = ClosedForm | Mixture | SwissRoll


class Fixed(Protocol):
    """A fixed generator."""

    @property
    def independent(self) -> bool:
        """True if it maps a separate draw of reals (Gulrajani et al., Algorithm 1); False if the critic's own batch.

        Only the critic's own batch couples each fake to the real sample in its row.
        """

    def __call__(self, real: Tensor, noise: Tensor) -> Tensor:
        """Returns the fakes.

        Args:
            real: Shape ``(..., *sample_shape)``.
            noise: Standard normal numbers, of the shape and dtype of ``real``.

        Returns:
            Fakes of the shape and dtype of ``real``.
        """

    def distance(self, data: Data) -> float:
        """The Wasserstein-1 distance between ``data`` and its image under this map; NaN if no closed form is known."""


@dataclass(frozen=True, kw_only=True)
class Noised:
    """The data plus Gaussian noise (Gulrajani et al. 2017, Fig. 1a); its distance has no closed form.

    Attributes:
        std: Standard deviation of the noise along each axis; positive.
        independent: See `Fixed.independent`.
    """

    std: float = 1.0
    independent: bool = False

    def __post_init__(self) -> None:
        require_positive("Noised", std=self.std)

    def __call__(self, real: Tensor, noise: Tensor) -> Tensor:
        return real + self.std * noise

    def distance(self, data: Data) -> float:
        return math.nan


@dataclass(frozen=True, kw_only=True)
class Translated:
    """The data translated along the first axis; its distance is ``|by|``. Samples are vectors.

    Attributes:
        by: Signed length of the translation; finite.
        independent: See `Fixed.independent`.
    """

    by: float
    independent: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.by):
            raise DataError(f"Translated, by: must be finite, got {self.by}")

    def __call__(self, real: Tensor, noise: Tensor) -> Tensor:
        fake = real.clone()
        fake[..., 0] += self.by
        return fake

    def distance(self, data: Data) -> float:
        return abs(self.by)


@dataclass(frozen=True, kw_only=True)
class PartTranslated:
    """The lower part of the segment (0, Z) translated along the first axis, the samples with Z below ``part``.

    Its distance is ``part · |by|``: the first coordinate, or its negative, attains the length of every pair. The total
    variation is ``part`` and the Jensen–Shannon divergence ``part · log 2``, unless ``by`` is 0.

    Attributes:
        by: Signed length of the translation; finite.
        part: Share of the segment that is moved; above 0, at most 1.
        independent: See `Fixed.independent`.
    """

    by: float
    part: float
    independent: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.by):
            raise DataError(f"PartTranslated, by: must be finite, got {self.by}")
        if not 0 < self.part <= 1:
            raise DataError(f"PartTranslated, part: must be above 0 and at most 1, got {self.part}")

    def __call__(self, real: Tensor, noise: Tensor) -> Tensor:
        fake = real.clone()
        fake[..., 0] += self.by * (real[..., 1] < self.part)
        return fake

    def distance(self, data: Data) -> float:
        return self.part * abs(self.by) if isinstance(data, Segment) else math.nan


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The data scaled about the origin; its distance is ``|1 − factor| · E ‖x‖``.

    Attributes:
        factor: Positive, as otherwise the paths would cross at the origin and the map would not be optimal.
        independent: See `Fixed.independent`.
    """

    factor: float
    independent: bool = False

    def __post_init__(self) -> None:
        require_positive("Scaled", factor=self.factor)

    def __call__(self, real: Tensor, noise: Tensor) -> Tensor:
        return self.factor * real

    def distance(self, data: Data) -> float:
        return abs(1 - self.factor) * data.mean_norm if isinstance(data, ClosedForm) else math.nan
