"""The interface of data sets, built-in or custom, and the further attributes that some measures need.

A custom toy data set is any object with the three members of `Drawn`. Some measures need more, as `NEEDED` lists, and
cannot be taken of a data set that lacks it. `wganbench.data.toy.Mixture` has ``centres``, ``std`` and ``weights``, and
is the best basis for a custom mixture of Gaussians. The optional ``weights`` are equal if a data set has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from wganbench.errors import DataError, first_line

PLANE = "plane"
"""The requirement of a measure that takes only points in the plane: ``sample_shape`` must be ``(2,)``."""

NEEDED: dict[str, tuple[str, ...]] = {
    "modes_covered": ("centres", "std"),
    "share_within": ("centres", "std"),
    "reverse_kl": ("centres",),
    "mode_maxima": (PLANE, "centres"),
    "transport_distance": ("even",),
    "transport_error": ("even",),
    "discrete_js": ("even",),
    "discrete_tv": ("even",),
    "missing_mass": ("even",),
    "kde_peaks": (PLANE,),
    "quadratic_share": (PLANE,),
    "critic_surface": (PLANE,),
    "sectors_occupied": (PLANE,),
    "least_sector_mass": (PLANE,),
}
"""The requirements of the package's measures and pictures beyond `Drawn`, by name; others have none."""

_DRAWN = 5  # number of samples that a check draws


class Drawn(Protocol):
    """A data set, which draws real samples and takes all randomness as an argument."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, such as ``(2,)``; positive numbers."""

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws new samples.

        Args:
            n: Number of samples.
            rng: The only source of randomness, on the device last passed to `to`.

        Returns:
            Shape ``(n, *sample_shape)``, float32, finite, on the device of ``rng``; the same for the same state of
            ``rng``.
        """

    def to(self, device: torch.device | str) -> Self:
        """Returns the same data set with its tensors on ``device``, or itself if it has no tensors."""


class Modes(Drawn, Protocol):
    """A mixture with known modes. Samples are points, and ``sample_shape`` is ``(dim,)``.

    Attributes:
        centres: Shape ``(modes, dim)``, floats, finite.
        std: Standard deviation of every mode along each axis; positive.
        weights: Shape ``(modes,)``, at least 0, summing to 1. The modes have equal weight if this attribute is missing
            or None.
    """

    centres: Tensor
    std: float


def weights_of(data: Any) -> Tensor | None:
    """Returns the ``weights`` of the modes, ``(modes,)``, or None if the data set states none and they are equal."""
    weights: Tensor | None = getattr(data, "weights", None)
    return weights


def check_toy_data_set(data: Any, needs: Collection[str] = ()) -> list[str]:
    """Checks a data set by its attributes and a few draws.

    Args:
        data: Any object, on the CPU.
        needs: Requirements beyond `Drawn`: values of `NEEDED`.

    Returns:
        One line per violation: where, what is wrong, with the value, and what would be right. Empty if all is well.
        Exceptions that ``data`` raises are reported the same way, never propagated.
    """
    found = list(_check_drawing(data))
    for name in ("centres", "std", "even"):
        if name in needs and getattr(data, name, None) is None:
            found.append(f"{_name(data)}, {name}: missing; must be {_MUST_BE[name]}")
    if PLANE in needs and _shape(data) not in (None, (2,)):
        found.append(f"{_name(data)}, sample_shape: must be (2,), as a point of the plane is read, got {_shape(data)}")
    if "centres" in needs and getattr(data, "centres", None) is not None:
        found += _check_centres(data)
    if "std" in needs and getattr(data, "std", None) is not None:
        found += _check_std(data)
    return found


_MUST_BE = {
    "centres": "a tensor of the modes' centres, (modes, dim)",
    "std": "the modes' standard deviation along each axis, a positive number",
    "even": "a function from n to (n, dim) points of equal weight; extend wganbench.data.closed_form:ClosedForm",
}


def _name(data: Any) -> str:
    return type(data).__name__


def _shape(data: Any) -> tuple[int, ...] | None:
    """Returns ``sample_shape`` as a tuple of positive integers; None if it is anything else."""
    shape = getattr(data, "sample_shape", None)
    if not isinstance(shape, tuple | list) or not all(type(side) is int and side > 0 for side in shape):
        return None
    return tuple(shape) or None


def _check_drawing(data: Any) -> Iterator[str]:
    where, shape = _name(data), _shape(data)
    if shape is None:
        got = repr(data.sample_shape) if hasattr(data, "sample_shape") else "no such attribute"
        yield f"{where}, sample_shape: must be a tuple of positive whole numbers, such as (2,), got {got}"
    for name, signature in (("draw", "draw(n, rng)"), ("to", "to(device)")):
        if not callable(getattr(data, name, None)):
            yield f"{where}, {name}: missing; must be a method {signature}"
            return
    moved, error = _tried(lambda: data.to("cpu"))
    if error or not callable(getattr(moved, "draw", None)):
        got = error or f"{moved!r}"
        yield f"{where}, to('cpu'): must return the data set on that device, got {got}"
        return
    first, error = _tried(lambda: moved.draw(_DRAWN, torch.Generator().manual_seed(0)))
    if error:
        yield f"{where}, draw({_DRAWN}, rng): {error}; must return {_DRAWN} samples"
        return
    if shape is not None:
        yield from _check_samples(where, first, (_DRAWN, *shape))
    again, _ = _tried(lambda: moved.draw(_DRAWN, torch.Generator().manual_seed(0)))
    if isinstance(first, Tensor) and not (isinstance(again, Tensor) and _equal(first, again)):
        yield f"{where}, draw: two draws from one seed differ; rng must be its only source of randomness"


def _check_samples(where: str, samples: Any, shape: tuple[int, ...]) -> Iterator[str]:
    if not isinstance(samples, Tensor):
        yield f"{where}, draw({_DRAWN}, rng): must return a tensor, got {type(samples).__name__}"
    elif tuple(samples.shape) != shape or samples.dtype != torch.float32:
        got = f"{tuple(samples.shape)} {samples.dtype}"
        yield f"{where}, draw({_DRAWN}, rng): must have shape {shape}, torch.float32, got {got}"
    elif not samples.isfinite().all():
        yield f"{where}, draw({_DRAWN}, rng): must be finite, got {samples[~samples.isfinite()][0].item()}"


def _check_centres(data: Any) -> Iterator[str]:
    where, centres, shape = _name(data), data.centres, _shape(data)
    form = f"(modes, {shape[0] if shape and len(shape) == 1 else 'dim'})"
    good = isinstance(centres, Tensor) and centres.ndim == 2 and len(centres) > 0 and centres.is_floating_point()
    if not good or (shape is not None and tuple(centres.shape[1:]) != shape):
        got = f"{tuple(centres.shape)} {centres.dtype}" if isinstance(centres, Tensor) else type(centres).__name__
        yield f"{where}, centres: must be a tensor of floats, {form}, as samples are, got {got}"
        return
    if not centres.isfinite().all():
        yield f"{where}, centres: must be finite, got {centres[~centres.isfinite()][0].item()}"
    yield from check_weights(where, weights_of(data), len(centres))


def require_positive(where: str, **options: float) -> None:
    """Raises DataError for the first of ``options`` that is not a positive, finite number."""
    for name, value in options.items():
        if not 0 < value < math.inf:
            raise DataError(f"{where}, {name}: must be positive and finite, got {value}")


def check_weights(where: str, weights: Any, modes: int) -> Iterator[str]:
    """Yields one line per violation in the ``weights`` of ``modes`` modes; nothing if they are None."""
    if weights is None:
        return
    if not isinstance(weights, Tensor) or tuple(weights.shape) != (modes,) or not weights.is_floating_point():
        got = f"{tuple(weights.shape)} {weights.dtype}" if isinstance(weights, Tensor) else type(weights).__name__
        yield f"{where}, weights: must be a tensor of floats, ({modes},), one for each mode, got {got}"
    elif not (weights >= 0).all():
        yield f"{where}, weights: must be at least 0, got {weights[~(weights >= 0)][0].item():g}"
    elif not abs(total := weights.double().sum().item() - 1) <= 1e-5:
        yield f"{where}, weights: must sum to 1, got {total + 1:g}; divide them by their sum"


def _check_std(data: Any) -> Iterator[str]:
    std = data.std
    if isinstance(std, bool) or not isinstance(std, int | float) or not 0 < std < math.inf:
        got = f"{std!r}" if isinstance(std, int | float) else type(std).__name__
        yield f"{_name(data)}, std: must be a positive number, one for all modes, got {got}"


def _equal(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first.nan_to_num(), second.nan_to_num())


def _tried(call: Callable[[], Any]) -> tuple[Any, str]:
    """Returns the result of ``call`` and an empty string, or None and the error that it raises, in one line."""
    try:
        return call(), ""
    except Exception as error:  # custom code may raise anything
        return None, first_line(error, with_type=True)
