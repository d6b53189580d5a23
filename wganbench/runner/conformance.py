"""Checks that call a custom object on small tensors: would its numbers be what a run takes them for?

Each function returns what it finds wrong with one object, and knows no spec: `CHECKS` names all that it looks at, so that
a full report can list what passed as well. An error says that numbers would be wrong or not repeatable; a warning, that
they may not be what was meant. Training is in float32, so what goes wrong in float64 alone is a warning.
"""

from __future__ import annotations

import copy
import math
import random
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

import wganbench
from wganbench.streams import Streams, generator
from wganbench.train.method import Objective, Penalty, Projection
from wganbench.train.stack import Stack, build

CHECKS = {
    "objective": ("call", "shape", "dtype", "repeatable", "seeds apart", "gradient", "finite", "large scores", "float64"),
    "penalty": (
        *("call", "shape", "dtype", "repeatable", "seeds apart", "gradient", "whole gradient", "batch size"),
        *("finite", "zero gradient", "float64"),
    ),
    "projection": ("call", "in place", "repeatable", "seeds apart", "finite"),
    "network": ("call", "parameters", "shape", "dtype", "repeatable", "seeds apart", "gradient", "rows apart", "float64"),
    "fixed generator": ("call", "shape", "dtype", "repeatable", "rows apart"),
}
"""The names of all checks, by kind of object."""

SEEDS = (0, 1)
ROWS = 12
"""Of a batch; divisible by the small numbers that rows may be grouped by. Twice as many show what depends on that."""
SLOPES = (0.1, 30.0)
"""Sizes of a probe's gradient: a one-sided penalty may be 0 on either side of 1."""
LARGE_SCORE = 50.0
"""Logits that a discriminator reaches in training, and that the logarithm of a sigmoid in float32 does not bear."""
STEP = 0.01
"""By which parameters are moved to see whether a value depends on them."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a custom object.

    Attributes:
        check: One of the `CHECKS` of its kind.
        text: What is wrong, with the value, and what would be right; a sentence whose subject is the object.
        is_error: Whether it would make numbers wrong; a warning otherwise.
        line: ``file.py:line`` of the code that raised; None where nothing was raised.
    """

    check: str
    text: str
    is_error: bool = True
    line: str | None = None


class Call(Protocol):
    """Calls the object for these seeds alone; the value, and the tensors that its gradient must reach.

    The same arguments give the same tensors, whatever seeds are stacked. ``shift`` moves the tensors along a fixed
    direction.
    """

    def __call__(self, seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]: ...


# ---- what is checked, by kind ---------------------------------------------------------------------------------------


def check_objective(objective: Objective, device: torch.device | str = "cpu") -> list[Finding]:
    """Checks the losses of both players on scores ``(2, ROWS)``."""

    def call_of(method: str, n_inputs: int, size: float = 1.0, spread: float = 1.0) -> Call:
        def call(seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]:
            own = [_normal(seeds, f"scores {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            by = [_normal(seeds, f"direction {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            leaves = [(size * spread * x + shift * d).requires_grad_() for x, d in zip(own, by, strict=True)]
            return getattr(objective, method)(*leaves), leaves

        return call

    def found() -> Iterator[Finding]:
        for method, n_inputs in (("critic_loss", 2), ("generator_loss", 1)):
            say = _prefixed(f"{method} ")
            problems = list(_basics(call_of(method, n_inputs)))
            problems += [] if problems else list(_gradient(call_of(method, n_inputs), "scores"))
            yield from map(say, problems)
            if problems:
                continue
            for size, check, is_error in ((0.0, "finite", True), (LARGE_SCORE, "large scores", False)):
                value, _ = call_of(method, n_inputs, size)(SEEDS, torch.float32)
                if not value.isfinite().all():
                    scores = "0" if size == 0 else f"about ±{size:g}, which training may reach"
                    yield say(Finding(check, f"is {_short(value)} for scores of {scores}; must be finite", is_error))

    return _collected(found())


def check_penalty(penalty: Penalty, sample_shape: Sequence[int], device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a term of the critic loss on small critics whose gradient is known.

    Args:
        penalty: Takes ``critic, real, fake, rng``.
        sample_shape: Of one sample.
    """
    shape = tuple(sample_shape)

    def call_of(slope: float) -> Call:
        def call(seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]:
            critic = _SmoothCritic(seeds, shape, slope, shift, dtype, device)
            real, fake = (_normal(seeds, name, (ROWS, *shape), dtype, device) for name in ("real", "fake"))
            value = penalty(critic, real, fake, Streams(seeds, "penalty", device))
            return value, critic.parameters

        return call

    def found() -> Iterator[Finding]:
        problems = list(_shape_and_dtype(call_of(SLOPES[1])))
        problems += [] if problems else list(_batch_size(penalty, shape, device))
        yield from problems
        if any(problem.is_error for problem in problems):
            return
        slopes = [call_of(slope) for slope in SLOPES]
        yield from _basics(slopes[1])
        depends = [_depends(call) for call in slopes]
        if any(moves and not reached for moves, reached in depends):
            yield Finding("gradient", NO_GRADIENT.format(of="critic's parameters"))
        elif not any(moves for moves, _ in depends):
            yield Finding(
                "gradient", "returns the same value for every critic, so that nothing is penalised", is_error=False
            )
        elif any(_is_partial(call) for call in slopes):
            yield Finding(
                "whole gradient",
                "has a gradient by the critic's parameters that is not the derivative of its value: part of it is "
                "detached; right where that is meant, else see create_graph=True, .detach() and .item()",
                is_error=False,
            )
        for slope, check, where in ((0.0, "zero gradient", "where the critic's gradient is 0"), (1.0, "finite", "")):
            value, leaves = call_of(slope)(SEEDS, torch.float32)
            gradients = _gradients(value, leaves)
            for name, tensors in (("is", [value]), ("has a gradient that is", gradients)):
                odd = next((tensor for tensor in tensors if not tensor.isfinite().all()), None)
                if odd is not None:
                    mend = "torch.linalg.vector_norm has a gradient there, the root of a sum has none unless 1e-12 is added"
                    yield Finding(check, f"{name} {_short(odd)} {where}; must be finite: {mend}")
                    break

    return _collected(found())


def check_projection(projection: Projection, device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a change of parameters in place on those of two small layers: zero, small, and larger than any critic's."""

    def project(seeds: Sequence[int], size: float) -> tuple[Any, list[Tensor], list[Tensor]]:
        shapes = {"weight": (3, 4), "bias": (3,), "last": (1, 3)}
        before = [_normal(seeds, name, shape, torch.float32, device) * size for name, shape in shapes.items()]
        after = [tensor.clone() for tensor in before]
        with torch.no_grad():
            made = projection(list(after))
        return made, before, after

    def found() -> Iterator[Finding]:
        changed = False
        for size in (0.0, 1.0, 1e6):
            made, before, after = project(SEEDS, size)
            changed = changed or not all(map(torch.equal, before, after))
            if not all(tensor.isfinite().all() for tensor in after):
                what = "0, as biases begin" if size == 0 else f"about {size:g}"
                yield Finding("finite", f"makes parameters that are {what} not finite; divide by a norm above 0 only")
                return
        if not changed:
            gave = "" if made is None else f" and returns {_short(made)}"
            yield Finding(
                "in place", f"leaves parameters of size 1e6 as they are{gave}; change them in place, as in p.clamp_(-c, c)"
            )
            return
        again = project(SEEDS, 1e6)[2]
        if not all(map(_alike, after, again)):
            yield Finding("repeatable", "gives two results for the same parameters; must not draw at random")
            return
        for place, seed in enumerate(SEEDS):
            alone = project([seed], 1e6)[2]
            if not all(_alike(stacked[place], own[0]) for stacked, own in zip(after, alone, strict=True)):
                yield Finding("seeds apart", f"changes the parameters of seed {seed} otherwise when it is stacked; {APART}")
                return

    return _collected(found())


def check_network(
    make: Callable[[], nn.Module],
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    *,
    rows: str | None = None,
    device: torch.device | str = "cpu",
) -> list[Finding]:
    """Checks a plain one-seed module on a batch of ROWS.

    Args:
        make: Makes the module, its parameters drawn from torch's global stream.
        rows: ``"error"`` or ``"warning"`` where rows of a batch must not mix in training; None where they may.
    """

    def found() -> Iterator[Finding]:
        modules = build(make, SEEDS, "conformance", device)
        if not isinstance(modules[0], nn.Module):
            yield Finding("call", f"makes a {type(modules[0]).__name__}; must be a torch.nn.Module")
            return
        if not list(modules[0].parameters()):
            yield Finding("parameters", "has no parameters to train; assign them, or modules, in __init__")
            return
        (twin,) = build(make, SEEDS[:1], "conformance", device)
        pairs = zip(modules[0].parameters(), twin.parameters(), strict=True)
        if not all(map(_alike, *zip(*((a.detach(), b.detach()) for a, b in pairs), strict=True))):
            yield Finding("repeatable", "begins with other parameters each time; draw them with torch, which is seeded")
            return
        x = _normal(SEEDS, "input", (ROWS, *input_shape), torch.float32, device)
        expected = (ROWS, *output_shape)
        made = [copy.deepcopy(module).train()(own) for module, own in zip(modules, x, strict=True)]
        if not isinstance(made[0], Tensor) or made[0].shape != expected:
            got = f"shape {tuple(made[0].shape)}" if isinstance(made[0], Tensor) else f"a {type(made[0]).__name__}"
            yield Finding("shape", f"returns {got} for {tuple(x[0].shape)}; must be {expected}")
            return
        if made[0].dtype != torch.float32:
            yield Finding("dtype", f"returns {made[0].dtype} for torch.float32; must be the same")
            return
        if not _alike(copy.deepcopy(modules[0]).train()(x[0]), made[0]):
            yield Finding(
                "repeatable",
                "gives two results for the same input in training: it draws at random, which no seed of a run sets; "
                "leave out dropout and noise",
            )
            return
        weights = [parameter for parameter in modules[0].parameters() if parameter.requires_grad]
        direction = _normal(SEEDS[:1], "direction", expected, torch.float32, device)[0]
        output = modules[0].train()(x[0])
        if not any(gradient.any() for gradient in _gradients((output * direction).sum(), weights)):
            yield Finding("gradient", NO_GRADIENT.format(of="network's parameters"))
            return
        yield from _stacked_network(make, x, made, device)
        if rows is not None and mixes_rows(build(make, SEEDS[:1], "conformance", device)[0], x[0]):
            yield Finding(
                "rows apart",
                "mixes the rows of a batch in training, and a penalty is about each row's own gradient; normalise over "
                "each row, as LayerNorm does",
                rows == "error",
            )
        yield from _in_float64(lambda: copy.deepcopy(twin).double()(x[0].double()))

    return _collected(found())


def check_fixed_generator(fixed: Any, sample_shape: Sequence[int], device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a map ``(real, noise)`` → fakes on ``(ROWS, *sample_shape)``, which must treat each row by itself."""

    def found() -> Iterator[Finding]:
        if not isinstance(getattr(fixed, "independent", None), bool):
            yield Finding("call", "has no attribute 'independent' that is True or False: whether it is fed reals of its own")
            return
        shape = (ROWS, *sample_shape)
        real, noise = (_normal(SEEDS[:1], name, shape, torch.float32, device)[0] for name in ("real", "noise"))
        fake = fixed(real.clone(), noise.clone())
        if not isinstance(fake, Tensor) or fake.shape != real.shape:
            got = f"shape {tuple(fake.shape)}" if isinstance(fake, Tensor) else f"a {type(fake).__name__}"
            yield Finding("shape", f"returns {got} for {shape}; must be the shape of real")
        elif fake.dtype != real.dtype:
            yield Finding("dtype", f"returns {fake.dtype} for {real.dtype}; must be the same")
        elif not _alike(fake, fixed(real.clone(), noise.clone())):
            yield Finding("repeatable", "gives two results for the same real and noise; draw from noise alone")
        elif not _alike(fake[1:], fixed(*(torch.cat([-x[:1], x[1:]]) for x in (real, noise)))[1:]):
            yield Finding("rows apart", "makes a fake of other rows than its own; row i is of row i of real and noise")

    return _collected(found())


def mixes_rows(module: nn.Module, x: Tensor) -> bool:
    """Whether a row's output depends on another row, in training; by derivatives."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module.train()(x)[0].sum(), x, allow_unused=True)
    return gradient is not None and bool(gradient[1:].any())


# ---- checks that several kinds share --------------------------------------------------------------------------------

APART = "seeds share nothing: take sums and means over the batch alone, as .mean(1) does"
NO_GRADIENT = (
    "has a value that depends on the {of}, and a gradient that does not reach them, so that it trains nothing: give "
    "torch.autograd.grad create_graph=True, and return no .item(), .detach(), rounded or counted value"
)


def _basics(call: Call) -> Iterator[Finding]:
    """Shape, dtype, repeatability, seeds stacked and alone, and float64; the first error ends it."""
    problems = list(_shape_and_dtype(call))
    yield from problems
    if problems:
        return
    value, leaves = call(SEEDS, torch.float32)
    gradients = _gradients(value, leaves)
    again = call(SEEDS, torch.float32)[0]
    if not _alike(value, again):
        yield Finding(
            "repeatable",
            f"gives two values for the same arguments, {_short(value)} and {_short(again)}; draw from rng alone, as in "
            f"rng.uniform(n), and keep nothing from call to call",
        )
        return
    for place, seed in enumerate(SEEDS):
        own, own_leaves = call([seed], torch.float32)
        if not isinstance(own, Tensor) or own.shape != (1,):
            yield _wrong_shape(own, 1)
            return
        pairs = [(value[place : place + 1], own), *zip((g[place : place + 1] for g in gradients), _gradients(own, own_leaves))]
        if not all(_alike(stacked, alone) for stacked, alone in pairs):
            what = "value" if not _alike(*pairs[0]) else "gradient"
            numbers = f", {_short(pairs[0][0])} for {_short(pairs[0][1])}" if what == "value" else ""
            yield Finding("seeds apart", f"has another {what} for a seed that is stacked than alone{numbers}; {APART}")
            return
    yield from _in_float64(lambda: call(SEEDS, torch.float64)[0])


def _shape_and_dtype(call: Call) -> Iterator[Finding]:
    value, leaves = call(SEEDS, torch.float32)
    if not isinstance(value, Tensor) or value.shape != (len(SEEDS),):
        yield _wrong_shape(value, len(SEEDS))
    elif value.dtype != torch.float32:
        yield Finding("dtype", f"returns {value.dtype} for torch.float32; must be the same")
    elif any(leaf.grad is not None for leaf in leaves):
        yield Finding("gradient", "calls backward(), which adds to the gradients of training; use torch.autograd.grad")


def _wrong_shape(value: Any, n: int) -> Finding:
    got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    seeds = "seeds" if n > 1 else "seed"
    return Finding("shape", f"returns {got} for {n} {seeds}; must be a tensor of shape ({n},), as .mean(1) over a batch gives")


def _gradient(call: Call, of: str) -> Iterator[Finding]:
    moves, reached = _depends(call)
    if moves and not reached:
        yield Finding("gradient", NO_GRADIENT.format(of=of))
    elif not moves:
        yield Finding("gradient", f"is the same for all {of}, so that it trains nothing; must depend on them")


def _depends(call: Call) -> tuple[bool, bool]:
    """Whether the value moves with the tensors, and whether a gradient reaches any of them somewhere near.

    Where a value moves between two points, one of them has a gradient, unless it is lost or the value is made of steps.
    """
    values, reached = [], False
    for shift in (-STEP, 0.0, STEP):
        value, leaves = call(SEEDS, torch.float32, shift)
        values.append(value.detach())
        reached = reached or any(bool(gradient.any()) for gradient in _gradients(value, leaves))
    return not (_alike(values[0], values[1]) and _alike(values[2], values[1])), reached


def _is_partial(call: Call) -> bool:
    """Whether the gradient along a direction is not the derivative of the value, in float64."""
    step = STEP**2
    try:
        value, leaves = call(SEEDS, torch.float64)
        ahead, moved = call(SEEDS, torch.float64, step)
        behind = call(SEEDS, torch.float64, -step)[0]
        slopes = zip(_gradients(value, leaves), moved, leaves, strict=True)
        along = sum(float((gradient * (there - here).detach()).sum()) / step for gradient, there, here in slopes)
    except Exception:  # float64 is the business of another check
        return False
    derivative = float((ahead - behind).detach().sum()) / (2 * step)
    size = float(value.detach().abs().sum())
    return abs(along - derivative) > 0.1 * max(abs(along), abs(derivative)) and abs(derivative) > 1e-3 * size


def _batch_size(penalty: Penalty, shape: tuple[int, ...], device: torch.device | str) -> Iterator[Finding]:
    """Finds the gradient of a mean over the batch, and warns of a value that depends on how many rows there are.

    All real rows are equal and so are all fake ones, and the critic is linear: no draw of points between them changes its
    gradient. A mean over rows is then the same for twice as many. Where the critic's scores were averaged before the
    gradient was taken, twice as many rows at twice the slope give what half as many give at the slope itself.
    """

    def value(n: int, slope: float, apart: float) -> Tensor:
        critic = _LinearCritic(SEEDS, shape, slope, device)
        real, offset = (_normal(SEEDS, name, (1, *shape), torch.float32, device) for name in ("real", "fake"))
        rows = (row.expand(-1, n, *shape).clone() for row in (real, real + apart * offset))
        return penalty(critic, *rows, Streams(SEEDS, "penalty", device)).detach()

    for apart in (1.0, 0.0):
        slopes = (0.5, 10.0, 1000.0)
        few, many = ([value(n, slope, apart) for slope in slopes] for n in (ROWS, 2 * ROWS))
        steeper = [value(2 * ROWS, 2 * slope, apart) for slope in slopes]
        if not all(v.isfinite().all() for v in (*few, *many, *steeper)):
            continue  # real and fake rows are one point, or so; the other pass decides
        if all(map(_alike, few, many)):
            return
        if all(map(_alike, few, steeper)):
            yield Finding(
                "batch size",
                f"takes the gradient of a mean over the batch, which is that of a row divided by the rows: a critic of "
                f"slope 10 gets {_short(few[1])} from {ROWS} equal rows and {_short(many[1])} from {2 * ROWS}; "
                f"differentiate critic(x).sum(), then take .mean(1) of the result",
            )
            return
    if few and all(v.isfinite().all() for v in (*few, *many)) and not all(map(_alike, few, many)):
        yield Finding(
            "batch size",
            f"depends on the number of rows: {_short(few[1])} for {ROWS} equal rows, {_short(many[1])} for {2 * ROWS}; a "
            f"mean over the rows does not",
            is_error=False,
        )


def _stacked_network(
    make: Callable[[], nn.Module], x: Tensor, alone: Sequence[Tensor], device: torch.device | str
) -> Iterator[Finding]:
    stack = Stack(build(make, SEEDS, "conformance", device))
    try:
        stacked = stack(x)
    except Exception:  # it is then trained seed by seed, and records say why
        return
    if not all(_alike(a, b, 1e-2) for a, b in zip(stacked, alone, strict=True)):
        yield Finding("seeds apart", "gives another result for a seed that is stacked than alone; keep nothing outside it")


def _in_float64(value: Callable[[], Any]) -> Iterator[Finding]:
    try:
        made = value()
    except Exception as error:
        yield Finding("float64", f"cannot be called in float64 ({_reason(error)}), which tests use", False, line_of(error))
        return
    if isinstance(made, Tensor) and made.dtype != torch.float64:
        yield Finding("float64", f"returns {made.dtype} for torch.float64; make tensors with x.new_zeros and the like", False)


# ---- tensors --------------------------------------------------------------------------------------------------------


class _SmoothCritic:
    """``(S, n, *shape)`` → ``(S, n)`` by four units of tanh, whose gradient is about ``slope`` long."""

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, ...],
        slope: float,
        shift: float,
        dtype: torch.dtype,
        device: torch.device | str,
    ):
        size = math.prod(shape)
        first = _normal(seeds, "first", (size, 4), dtype, device) / math.sqrt(size)
        bias = _normal(seeds, "bias", (1, 4), dtype, device)
        last = _normal(seeds, "last", (1, 4), dtype, device).sign() * slope
        self.parameters = [
            (tensor * (1 + shift * _normal(seeds, f"direction {place}", tensor.shape[1:], dtype, device))).requires_grad_()
            for place, tensor in enumerate((first, bias, last))
        ]

    def __call__(self, x: Tensor) -> Tensor:
        first, bias, last = self.parameters
        return ((x.flatten(2) @ first + bias).tanh() * last).sum(2)


class _LinearCritic:
    """``(S, n, *shape)`` → ``(S, n)``; its gradient is ``slope`` long everywhere."""

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], slope: float, device: torch.device | str):
        weight = _normal(seeds, "weight", (math.prod(shape), 1), torch.float32, device)
        self.weight = (slope * weight / weight.norm(dim=1, keepdim=True)).requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        return (x.flatten(2) @ self.weight).squeeze(2)


def _normal(
    seeds: Sequence[int], purpose: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    """Standard normal draws ``(seeds, *shape)``, the same on every device and in every dtype but for rounding."""
    return Streams(seeds, f"conformance {purpose}").normal(*shape).to(device, dtype)


def _gradients(value: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Of the sum of ``value``, as training takes it; zeros where none reaches a tensor."""
    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(value.sum(), leaves, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(leaf) if one is None else one for one, leaf in zip(found, leaves, strict=True)]


def _alike(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors are equal but for rounding, measured by their largest entry; NaN equals NaN."""
    a, b = a.detach().double(), b.detach().double()
    size = torch.cat([a.flatten(), b.flatten()]).nan_to_num(posinf=0.0, neginf=0.0).abs().max()
    return torch.allclose(a, b, rtol=0.0, atol=tolerance * float(size), equal_nan=True)


def _short(value: Any) -> str:
    """A few numbers of a tensor, or the type of anything else."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    numbers = [f"{float(number):.4g}" for number in value.detach().flatten()]
    odd = [number for number in numbers if not math.isfinite(float(number))]
    return odd[0] if odd else f"[{', '.join(numbers[:4])}{', …' if len(numbers) > 4 else ''}]"


# ---- how findings are collected -------------------------------------------------------------------------------------


def _collected(found: Iterator[Finding]) -> list[Finding]:
    """All findings, the last of them an exception of the object's own; nothing global is changed."""
    findings: list[Finding] = []
    with unchanged():
        try:
            findings += found  # what came before an exception stays
        except Exception as error:
            findings.append(Finding("call", f"raises {_reason(error)}", line=line_of(error)))
    return findings


@contextmanager
def unchanged() -> Iterator[None]:
    """Puts back every global stream of random numbers, and keeps the warnings of a custom object for its training."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


def line_of(error: BaseException) -> str | None:
    """``file.py:line`` of the last code outside this package and all installed ones that ``error`` passed through."""
    ours = str(Path(wganbench.__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not (frame.filename.startswith((ours, "<")) or "site-packages" in frame.filename):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return None


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _prefixed(prefix: str) -> Callable[[Finding], Finding]:
    return lambda finding: Finding(finding.check, prefix + finding.text, finding.is_error, finding.line)
