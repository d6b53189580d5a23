"""Checks custom objects by calling them on small tensors, to see whether their numbers mean what a run assumes.

Each function returns the problems it finds in one object, independently of any spec. An error means that numbers would
be wrong or not repeatable; a warning, that they may not be what was intended. Training uses float32, so problems in
float64 alone are warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from wganbench.errors import first_line
from wganbench.rng import Streams
from wganbench.runner.findings import Add, Finding, NonconformingError, collect, line_of
from wganbench.runner.probes import LinearCritic, SmoothCritic, alike, gradients_of, in_short, normal
from wganbench.training.method import Objective, Penalty, Projection
from wganbench.training.stack import Stack, build, depends_on_rows

SEEDS = (0, 1)
ROWS = 12
"""The number of rows in a batch, divisible by the small numbers that rows may be grouped by. A second batch with twice
as many rows shows what depends on that number."""
SLOPES = (0.1, 30.0)
"""The norms of a probe's gradient, on both sides of 1, since a one-sided penalty is 0 on one of them."""
LARGE_SCORE = 50.0
"""A logit that a discriminator reaches in training, and at which the logarithm of a sigmoid in float32 fails."""
STEP = 0.01
"""The shift of parameters that shows whether a value depends on them."""


class Call(Protocol):
    """Calls the object for the given seeds; returns the value and the tensors that its gradient must reach.

    The same arguments give the same tensors, whichever seeds are stacked. ``shift`` moves the tensors along a fixed
    direction.
    """

    def __call__(self, seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]: ...


# ---- checks by kind of object ---------------------------------------------------------------------------------------


def check_objective(
    objective: Objective, device: torch.device | str = "cpu", *, reads_real: bool = False
) -> list[Finding]:
    """Checks the losses of both players on scores of shape ``(2, ROWS)``.

    Args:
        objective: The objective.
        device: The device to call it on.
        reads_real: Whether its ``generator_loss`` takes real scores too.
    """

    def call_of(method: str, size: float = 1.0) -> Call:
        n_inputs = 2 if method == "critic_loss" or reads_real else 1

        def call(seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]:
            own = [normal(seeds, f"scores {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            by = [normal(seeds, f"direction {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            leaves = [(size * x + shift * d).requires_grad_() for x, d in zip(own, by, strict=True)]
            trained = leaves if method == "critic_loss" else leaves[:1]  # the generator makes the fakes alone
            return getattr(objective, method)(*leaves), trained

        return call

    def check_loss(method: str, add: Add) -> None:
        call, zero, large = (call_of(method, size) for size in (1.0, 0.0, LARGE_SCORE))
        _check_shape_and_dtype(call)
        _check_finite(call, "finite", "for scores about 1")
        _check_repeatable(call)
        _check_seeds_apart(call)
        _check_gradient([call], "scores", add)
        _check_finite(zero, "finite", "for scores of 0")
        _check_finite(large, "large scores", f"for scores of about ±{LARGE_SCORE:g}, which training may reach", add=add)
        _check_float64(lambda: call(SEEDS, torch.float64)[0], add)

    return [
        replace(finding, text=f"{method} {finding.text}")
        for method in ("critic_loss", "generator_loss")
        for finding in collect(partial(check_loss, method))
    ]


def check_penalty(penalty: Penalty, sample_shape: Sequence[int], device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a term of the critic loss on small critics whose gradient is known.

    Args:
        penalty: A function of ``critic, real, fake, rng``.
        sample_shape: Shape of one sample.
        device: The device to call it on.
    """
    shape = tuple(sample_shape)

    def call_of(slope: float) -> Call:
        def call(seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]:
            critic = SmoothCritic(seeds, shape, slope, shift, dtype, device)
            real, fake = (normal(seeds, name, (ROWS, *shape), dtype, device) for name in ("real", "fake"))
            value = penalty(critic, real, fake, Streams(seeds, "penalty", device))
            return value, critic.parameters

        return call

    def check(add: Add) -> None:
        calls = [call_of(slope) for slope in SLOPES]
        _check_shape_and_dtype(calls[0])
        _check_repeatable(calls[0])
        _check_batch_size(penalty, shape, device, add)
        for call in calls:
            _check_seeds_apart(call)
        _check_gradient(calls, "critic's parameters", add, is_needed=False)
        if any(map(_is_partly_detached, calls)):
            text = (
                "has a gradient with respect to the critic's parameters that is not the derivative of its value, as "
                "part of it is detached; right where that is meant, else see create_graph=True, .detach() and .item()"
            )
            add(Finding("whole gradient", text, is_error=False))
        for slope, call in zip(SLOPES, calls, strict=True):
            _check_finite(call, "finite", f"where the critic's gradient is about {slope:g}")
        _check_finite(call_of(0.0), "zero gradient", "where the critic's gradient is 0", remedy=ROOT)
        _check_float64(lambda: calls[0](SEEDS, torch.float64)[0], add)

    return collect(check)


def check_projection(projection: Projection, device: torch.device | str = "cpu") -> list[Finding]:
    """Checks an in-place projection on the parameters of two small layers: zero, small, and larger than a critic's."""

    def project(seeds: Sequence[int], size: float) -> tuple[Any, list[Tensor], list[Tensor]]:
        shapes = {"weight": (3, 4), "bias": (3,), "last": (1, 3)}
        before = [normal(seeds, name, shape, torch.float32, device) * size for name, shape in shapes.items()]
        after = [tensor.clone() for tensor in before]
        with torch.no_grad():
            made: object = projection(list(after))  # type: ignore[func-returns-value]  # a custom one may return something
        return made, before, after

    def check(add: Add) -> None:
        is_changed = False
        for size in (0.0, 1.0, 1e6):
            made, before, after = project(SEEDS, size)
            is_changed = is_changed or not all(map(torch.equal, before, after))
            if not all(tensor.isfinite().all() for tensor in after):
                what = "0, as biases begin," if size == 0 else f"about {size:g}"
                text = f"makes parameters that are {what} not finite; divide by a norm above 0 only"
                raise NonconformingError("finite", text)
        if not is_changed:
            returned = "" if made is None else f" and returns {in_short(made)}"
            text = f"leaves parameters of size 1e6 as they are{returned}; change them in place, as in p.clamp_(-c, c)"
            raise NonconformingError("in place", text)
        for size in (1.0, 1e6):
            stacked = project(SEEDS, size)[2]
            if not all(map(alike, stacked, project(SEEDS, size)[2])):
                text = "gives two results for the same parameters; must not draw at random"
                raise NonconformingError("repeatable", text)
            for place, seed in enumerate(SEEDS):
                pairs = zip(stacked, project([seed], size)[2], strict=True)
                if not all(alike(together[place], alone[0]) for together, alone in pairs):
                    text = f"changes seed {seed} in another way when it is stacked than when it is alone; {APART}"
                    raise NonconformingError("seeds apart", text)

    return collect(check)


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
        make: Makes the module, with parameters drawn from torch's global stream.
        input_shape: Shape of one input.
        output_shape: Shape of one output.
        rows: Severity of mixing the rows of a batch in training, ``"error"`` or ``"warning"``; None if it is allowed.
        device: The device to call it on.
    """

    def modules() -> list[nn.Module]:
        """Makes one module per seed, the same at each call."""
        return [module.train() for module in build(make, SEEDS, "conformance", device)]

    def check(add: Add) -> None:
        _check_made(make(), modules)
        x = normal(SEEDS, "input", (ROWS, *input_shape), torch.float32, device)
        _check_outputs(modules, x, (ROWS, *output_shape))
        if rows is not None and depends_on_rows(modules()[0], x[0])[1]:
            text = (
                "mixes the rows of a batch in training, and a penalty is about each row's own gradient; normalise over "
                "each row, as LayerNorm does"
            )
            add(Finding("rows apart", text, rows == "error"))
        _check_float64(lambda: modules()[0].double()(x[0].double()), add)

    return collect(check)


def _check_made(made: Any, modules: Callable[[], list[nn.Module]]) -> None:
    if not isinstance(made, nn.Module):
        raise NonconformingError("call", f"makes a {type(made).__name__}; must be a torch.nn.Module")
    if not list(made.parameters()):
        raise NonconformingError("parameters", "has no parameters to train; assign them, or modules, in __init__")
    once, again = (modules()[0].state_dict() for _ in range(2))
    if not all(alike(tensor, again[name]) for name, tensor in once.items()):
        text = "begins with other parameters each time; draw them with torch, which is seeded"
        raise NonconformingError("repeatable", text)


def _check_outputs(modules: Callable[[], list[nn.Module]], x: Tensor, shape: tuple[int, ...]) -> None:
    """Checks the outputs of both seeds' modules for their rows of ``x``."""
    own = modules()
    made: list[Any] = [module(rows) for module, rows in zip(own, x, strict=True)]
    weights = [parameter for parameter in own[0].parameters() if parameter.requires_grad]
    _require_shape(made[0], shape, f"{tuple(x[0].shape)}; must be {shape}")
    _require_dtype(made[0], torch.float32)
    if not alike(modules()[0](x[0]), made[0]):
        text = (
            "gives two results for the same input in training: it draws at random, which no seed of a run sets; leave "
            "out dropout and noise"
        )
        raise NonconformingError("repeatable", text)
    if not any(map(torch.any, gradients_of((made[0] * torch.randn_like(made[0])).sum(), weights))):
        raise NonconformingError("gradient", NO_GRADIENT.format(of="network's parameters"))
    try:
        stacked = Stack(modules())(x)
    except Exception:  # it is then trained one seed at a time, and records note why
        return
    if not all(alike(a, b, 1e-2) for a, b in zip(stacked, made, strict=True)):
        text = "gives another result for a seed when it is stacked than when it is alone; keep nothing outside it"
        raise NonconformingError("seeds apart", text)


def check_fixed_generator(fixed: Any, sample_shape: Sequence[int], device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a map from ``(real, noise)`` to fakes on ``(ROWS, *sample_shape)``; it must treat each row separately."""

    def check(add: Add) -> None:
        if not isinstance(getattr(fixed, "independent", None), bool):
            text = "has no attribute 'independent' that is True or False: whether it gets reals of its own"
            raise NonconformingError("call", text)
        shape = (ROWS, *sample_shape)
        real, noise = (normal(SEEDS[:1], name, shape, torch.float32, device)[0] for name in ("real", "noise"))
        fake = fixed(real.clone(), noise.clone())
        _require_shape(fake, shape, f"{shape}; must be the shape of real")
        _require_dtype(fake, real.dtype)
        if not alike(fake, fixed(real.clone(), noise.clone())):
            text = "gives two results for the same real and noise; draw from noise alone"
            raise NonconformingError("repeatable", text)
        if not alike(fake[1:], fixed(*(torch.cat([-x[:1], x[1:]]) for x in (real, noise)))[1:]):
            text = "makes a fake from other rows than its own; row i must be made from row i of real and noise"
            raise NonconformingError("rows apart", text)

    return collect(check)


# ---- checks that several kinds share --------------------------------------------------------------------------------

ROOT = ": torch.linalg.vector_norm has a gradient at 0, and the root of a sum has none unless 1e-12 is added to it"
APART = "seeds share nothing: take sums and means over the batch alone, as .mean(1) does"
NO_GRADIENT = (
    "has a value that depends on the {of}, and a gradient that does not reach them, so that it trains nothing: give "
    "torch.autograd.grad create_graph=True, and return no .item(), .detach(), rounded or counted value"
)


def _require_shape(value: Any, shape: tuple[int, ...], expected: str) -> None:
    if not isinstance(value, Tensor) or value.shape != shape:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise NonconformingError("shape", f"returns {got} for {expected}")


def _require_one_per_seed(value: Any, n: int) -> None:
    seeds = "seeds" if n > 1 else "seed"
    expected = f"{n} {seeds}; must be a tensor of shape ({n},), as .mean(1) over the batch gives"
    _require_shape(value, (n,), expected)


def _require_dtype(value: Tensor, dtype: torch.dtype) -> None:
    if value.dtype != dtype:
        raise NonconformingError("dtype", f"returns {value.dtype} for {dtype}; must be the same")


def _check_shape_and_dtype(call: Call) -> None:
    value, leaves = call(SEEDS, torch.float32)
    _require_one_per_seed(value, len(SEEDS))
    _require_dtype(value, torch.float32)
    if any(leaf.grad is not None for leaf in leaves):
        text = "calls backward(), which adds to the gradients of training; use torch.autograd.grad"
        raise NonconformingError("gradient", text)


def _check_repeatable(call: Call) -> None:
    value, again = (call(SEEDS, torch.float32)[0] for _ in range(2))
    if not alike(value, again):
        text = (
            f"gives {in_short(value)}, then {in_short(again)} for the same arguments; draw from rng alone, as "
            f"rng.uniform(n) does, and keep nothing from call to call"
        )
        raise NonconformingError("repeatable", text)


def _check_seeds_apart(call: Call) -> None:
    value, leaves = call(SEEDS, torch.float32)
    stacked = (value, *gradients_of(value, leaves))
    for place, seed in enumerate(SEEDS):
        own, own_leaves = call([seed], torch.float32)
        _require_one_per_seed(own, 1)
        alone = (own, *gradients_of(own, own_leaves))
        same = [alike(each[place : place + 1], one) for each, one in zip(stacked, alone, strict=True)]
        if not all(same):
            what = "another gradient"
            if not same[0]:
                what = f"another value, {in_short(value[place : place + 1])} instead of {in_short(own)},"
            text = f"has {what} for a seed when it is stacked than when it is alone; {APART}"
            raise NonconformingError("seeds apart", text)


def _check_finite(call: Call, check: str, where: str, *, remedy: str = "", add: Add | None = None) -> None:
    """Checks that a value and its gradient are finite; a problem is a warning if ``add`` is given, else an error."""
    value, leaves = call(SEEDS, torch.float32)
    for name, tensors in (("is", [value]), ("has a gradient that is", gradients_of(value, leaves))):
        for tensor in tensors:
            if tensor.isfinite().all():
                continue
            text = f"{name} {in_short(tensor)} {where}; must be finite{remedy}"
            if add is None:
                raise NonconformingError(check, text)
            add(Finding(check, text, is_error=False))
            return


def _check_gradient(calls: Sequence[Call], of: str, add: Add, *, is_needed: bool = True) -> None:
    """Finds a value that changes with the tensors although no gradient near it reaches any of them.

    A value that changes between two points has a gradient between them, unless the gradient is lost or the value is a
    step function.

    Args:
        calls: The calls to make.
        of: The name of the tensors for messages.
        add: Called with a warning.
        is_needed: Whether a constant value is an error; otherwise it is a warning.
    """
    values: list[Tensor] = []
    any_reached = False
    for call in calls:
        own, reached = [], False
        for shift in (-STEP, 0.0, STEP, 1.0):
            value, leaves = call(SEEDS, torch.float32, shift)
            own.append(value.detach())
            reached = reached or any(bool(gradient.any()) for gradient in gradients_of(value, leaves))
        if not reached and not all(alike(own[0], other) for other in own):
            raise NonconformingError("gradient", NO_GRADIENT.format(of=of))
        any_reached, values = any_reached or reached, values + own
    if all(alike(values[0], other) for other in values):
        text = f"is the same whatever the {of}; it trains nothing, must depend on them"
        if is_needed:
            raise NonconformingError("gradient", text)
        add(Finding("gradient", text, is_error=False))
    elif not any_reached:
        raise NonconformingError("gradient", NO_GRADIENT.format(of=of))


def _is_partly_detached(call: Call) -> bool:
    """Returns whether, in float64, the gradient along a direction differs from the derivative of the value."""
    step = STEP**2
    try:
        value, leaves = call(SEEDS, torch.float64)
        ahead, moved = call(SEEDS, torch.float64, step)
        behind = call(SEEDS, torch.float64, -step)[0]
    except Exception:  # another check covers float64
        return False
    pairs = zip(gradients_of(value, leaves), moved, leaves, strict=True)
    along = sum(float((gradient * (there - here).detach()).sum()) / step for gradient, there, here in pairs)
    derivative = float((ahead - behind).detach().sum()) / (2 * step)
    size = float(value.detach().abs().sum())
    return abs(along - derivative) > 0.1 * max(abs(along), abs(derivative)) and abs(derivative) > 1e-3 * size


def _check_batch_size(penalty: Penalty, shape: tuple[int, ...], device: torch.device | str, add: Add) -> None:
    """Finds a gradient taken of a mean over the batch, and warns of a value that depends on the number of rows.

    All real rows are equal, all fake rows are equal, and the critic is linear, so its gradient is the same at all
    points drawn between them. A mean over rows is then the same for twice as many rows. If the critic's scores are
    averaged before the gradient is taken, twice the rows at twice the slope give the value of the original ones.
    """

    def value(n: int, slope: float, apart: float, stream: str = "penalty") -> Tensor:
        critic = LinearCritic(SEEDS, shape, slope, device)
        real, offset = (normal(SEEDS, name, (1, *shape), torch.float32, device) for name in ("real", "fake"))
        real, fake = (row.expand(-1, n, *shape).clone() for row in (real, real + apart * offset))
        return penalty(critic, real, fake, Streams(SEEDS, stream, device)).detach()

    for apart in (1.0, 0.0):
        slopes = (0.5, 10.0, 1000.0)
        few, many = ([value(n, slope, apart) for slope in slopes] for n in (ROWS, 2 * ROWS))
        steeper = [value(2 * ROWS, 2 * slope, apart) for slope in slopes]
        otherwise = [value(ROWS, slope, apart, "another") for slope in slopes]
        is_finite = all(each.isfinite().all() for each in (*few, *many, *steeper))
        if all(map(alike, few, many)):
            return
        if is_finite and all(map(alike, few, steeper)):
            text = (
                f"takes the gradient of a mean over the batch, which is that of a row divided by the rows: a critic of "
                f"slope 10 gets {in_short(few[1])} from {ROWS} equal rows and {in_short(many[1])} from {2 * ROWS}; "
                f"differentiate critic(x).sum(), then take .mean(1) of the result"
            )
            raise NonconformingError("batch size", text)
        if is_finite and all(map(alike, few, otherwise)):  # a mean of random numbers always varies
            text = (
                f"depends on the number of rows: {in_short(few[1])} for {ROWS} equal rows, {in_short(many[1])} for "
                f"{2 * ROWS}; a mean over the rows does not"
            )
            add(Finding("batch size", text, is_error=False))
            return


def _check_float64(value: Callable[[], Any], add: Add) -> None:
    try:
        made = value()
    except Exception as error:
        text = f"cannot be called in float64 ({first_line(error, with_type=True)}), which tests use"
        add(Finding("float64", text, False, line_of(error)))
        return
    if isinstance(made, Tensor) and made.dtype != torch.float64:
        text = f"returns {made.dtype} for torch.float64; make tensors with x.new_zeros and the like"
        add(Finding("float64", text, is_error=False))
