"""Checks custom objects by calling them on small tensors, to see whether their numbers mean what a run assumes.

Each function returns the problems it finds in one object, independently of any spec. `CHECKS` names everything that is
checked, so that a full report can also list what passed. An error means that numbers would be wrong or not repeatable;
a warning, that they may not be what was intended. Training uses float32, so problems in float64 alone are warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from wganbench.rng import Streams
from wganbench.runner.findings import Finding, collect, line_of, reason
from wganbench.runner.probes import LinearCritic, SmoothCritic, alike, gradients_of, in_short, normal
from wganbench.training.method import Objective, Penalty, Projection
from wganbench.training.stack import Stack, build

CHECKS = {
    "objective": (
        "call",
        "shape",
        "dtype",
        "repeatable",
        "seeds apart",
        "gradient",
        "finite",
        "large scores",
        "float64",
    ),
    "penalty": (
        *("call", "shape", "dtype", "repeatable", "seeds apart", "gradient", "whole gradient", "batch size"),
        *("finite", "zero gradient", "float64"),
    ),
    "projection": ("call", "in place", "repeatable", "seeds apart", "finite"),
    "network": (
        "call",
        "parameters",
        "shape",
        "dtype",
        "repeatable",
        "seeds apart",
        "gradient",
        "rows apart",
        "float64",
    ),
    "fixed generator": ("call", "shape", "dtype", "repeatable", "rows apart"),
}
"""The names of all checks, by kind of object."""

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


def check_objective(objective: Objective, device: torch.device | str = "cpu") -> list[Finding]:
    """Checks the losses of both players on scores of shape ``(2, ROWS)``."""

    def call_of(method: str, n_inputs: int, size: float = 1.0) -> Call:
        def call(seeds: Sequence[int], dtype: torch.dtype, shift: float = 0.0) -> tuple[Any, list[Tensor]]:
            own = [normal(seeds, f"scores {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            by = [normal(seeds, f"direction {place}", (ROWS,), dtype, device) for place in range(n_inputs)]
            leaves = [(size * x + shift * d).requires_grad_() for x, d in zip(own, by, strict=True)]
            return getattr(objective, method)(*leaves), leaves

        return call

    def found(method: str, n_inputs: int) -> Iterator[Finding]:
        call = call_of(method, n_inputs)
        yield from _until_error(
            _shape_and_dtype(call),
            _finite(call, "finite", "for scores about 1"),
            _same_each_time(call),
            _seeds_apart(call),
            _gradient([call], "scores"),
            _finite(call_of(method, n_inputs, 0.0), "finite", "for scores of 0"),
            _finite(call_of(method, n_inputs, LARGE_SCORE), "large scores", LARGE, is_error=False),
            _in_float64(lambda: call(SEEDS, torch.float64)[0]),
        )

    losses = (("critic_loss", 2), ("generator_loss", 1))
    return [_about(method, each) for method, n_inputs in losses for each in collect(found(method, n_inputs))]


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

    slopes = [call_of(slope) for slope in SLOPES]
    found = _until_error(
        _shape_and_dtype(slopes[0]),
        _same_each_time(slopes[0]),
        _batch_size(penalty, shape, device),
        *map(_seeds_apart, slopes),
        _gradient(slopes, "critic's parameters", needed=False),
        _whole_gradient(slopes),
        *(_finite(call_of(slope), "finite", f"where the critic's gradient is about {slope:g}") for slope in SLOPES),
        _finite(call_of(0.0), "zero gradient", "where the critic's gradient is 0", mend=ROOT),
        _in_float64(lambda: slopes[0](SEEDS, torch.float64)[0]),
    )
    return collect(found)


def check_projection(projection: Projection, device: torch.device | str = "cpu") -> list[Finding]:
    """Checks an in-place projection on the parameters of two small layers: zero, small, and larger than a critic's."""

    def project(seeds: Sequence[int], size: float) -> tuple[Any, list[Tensor], list[Tensor]]:
        shapes = {"weight": (3, 4), "bias": (3,), "last": (1, 3)}
        before = [normal(seeds, name, shape, torch.float32, device) * size for name, shape in shapes.items()]
        after = [tensor.clone() for tensor in before]
        with torch.no_grad():
            made: object = projection(list(after))  # type: ignore[func-returns-value]  # a custom one may return something
        return made, before, after

    def found() -> Iterator[Finding]:
        changed = False
        for size in (0.0, 1.0, 1e6):
            made, before, after = project(SEEDS, size)
            changed = changed or not all(map(torch.equal, before, after))
            if not all(tensor.isfinite().all() for tensor in after):
                what = "0, as biases begin," if size == 0 else f"about {size:g}"
                yield Finding("finite", f"makes parameters that are {what} not finite; divide by a norm above 0 only")
                return
        if not changed:
            gave = "" if made is None else f" and returns {in_short(made)}"
            yield Finding(
                "in place",
                f"leaves parameters of size 1e6 as they are{gave}; change them in place, as in p.clamp_(-c, c)",
            )
            return
        yield from _until_error(*(step(size) for size in (1.0, 1e6) for step in (again, alone)))

    def again(size: float) -> Iterator[Finding]:
        if not all(map(alike, project(SEEDS, size)[2], project(SEEDS, size)[2])):
            yield Finding("repeatable", "gives two results for the same parameters; must not draw at random")

    def alone(size: float) -> Iterator[Finding]:
        for place, seed in enumerate(SEEDS):
            pairs = zip(project(SEEDS, size)[2], project([seed], size)[2], strict=True)
            if not all(alike(stacked[place], own[0]) for stacked, own in pairs):
                yield Finding("seeds apart", f"changes seed {seed} otherwise when it is stacked than alone; {APART}")
                return

    return collect(found())


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

    def found() -> Iterator[Finding]:
        problems = list(_as_made(make, device))
        yield from problems
        if problems:
            return
        x = normal(SEEDS, "input", (ROWS, *input_shape), torch.float32, device)
        problems = list(_as_called(make, x, (ROWS, *output_shape), device))
        yield from problems
        if problems:
            return
        if rows is not None and mixes_rows(_modules(make, device)[0], x[0]):
            yield Finding(
                "rows apart",
                "mixes the rows of a batch in training, and a penalty is about each row's own gradient; normalise over "
                "each row, as LayerNorm does",
                rows == "error",
            )
        yield from _in_float64(lambda: _modules(make, device)[0].double()(x[0].double()))

    return collect(found())


def _modules(make: Callable[[], nn.Module], device: torch.device | str) -> list[nn.Module]:
    """Makes one module per seed, the same at each call."""
    return [module.train() for module in build(make, SEEDS, "conformance", device)]


def _as_made(make: Callable[[], Any], device: torch.device | str) -> Iterator[Finding]:
    made = make()
    if not isinstance(made, nn.Module):
        yield Finding("call", f"makes a {type(made).__name__}; must be a torch.nn.Module")
    elif not list(made.parameters()):
        yield Finding("parameters", "has no parameters to train; assign them, or modules, in __init__")
    else:
        once, again = (_modules(make, device)[0].state_dict() for _ in range(2))
        if not all(alike(tensor, again[name]) for name, tensor in once.items()):
            yield Finding("repeatable", "begins with other parameters each time; draw them with torch, which is seeded")


def _as_called(
    make: Callable[[], nn.Module], x: Tensor, shape: tuple[int, ...], device: torch.device | str
) -> Iterator[Finding]:
    """Yields the first problem with the outputs of both seeds' modules for their rows of ``x``."""
    modules = _modules(make, device)
    made: list[Any] = [module(own) for module, own in zip(modules, x, strict=True)]
    weights = [parameter for parameter in modules[0].parameters() if parameter.requires_grad]
    if not isinstance(made[0], Tensor) or made[0].shape != shape:
        got = f"shape {tuple(made[0].shape)}" if isinstance(made[0], Tensor) else f"a {type(made[0]).__name__}"
        yield Finding("shape", f"returns {got} for {tuple(x[0].shape)}; must be {shape}")
    elif made[0].dtype != torch.float32:
        yield Finding("dtype", f"returns {made[0].dtype} for torch.float32; must be the same")
    elif not alike(_modules(make, device)[0](x[0]), made[0]):
        yield Finding(
            "repeatable",
            "gives two results for the same input in training: it draws at random, which no seed of a run sets; leave "
            "out dropout and noise",
        )
    elif not any(map(torch.any, gradients_of((made[0] * torch.randn_like(made[0])).sum(), weights))):
        yield Finding("gradient", NO_GRADIENT.format(of="network's parameters"))
    else:
        try:
            stacked = Stack(_modules(make, device))(x)
        except Exception:  # it is then trained one seed at a time, and records note why
            return
        if not all(alike(a, b, 1e-2) for a, b in zip(stacked, made, strict=True)):
            yield Finding("seeds apart", "gives another result for a seed stacked than alone; keep nothing outside it")


def check_fixed_generator(fixed: Any, sample_shape: Sequence[int], device: torch.device | str = "cpu") -> list[Finding]:
    """Checks a map from ``(real, noise)`` to fakes on ``(ROWS, *sample_shape)``; it must treat each row separately."""

    def found() -> Iterator[Finding]:
        if not isinstance(getattr(fixed, "independent", None), bool):
            yield Finding(
                "call", "has no attribute 'independent' that is True or False: whether it is fed reals of its own"
            )
            return
        shape = (ROWS, *sample_shape)
        real, noise = (normal(SEEDS[:1], name, shape, torch.float32, device)[0] for name in ("real", "noise"))
        fake = fixed(real.clone(), noise.clone())
        if not isinstance(fake, Tensor) or fake.shape != real.shape:
            got = f"shape {tuple(fake.shape)}" if isinstance(fake, Tensor) else f"a {type(fake).__name__}"
            yield Finding("shape", f"returns {got} for {shape}; must be the shape of real")
        elif fake.dtype != real.dtype:
            yield Finding("dtype", f"returns {fake.dtype} for {real.dtype}; must be the same")
        elif not alike(fake, fixed(real.clone(), noise.clone())):
            yield Finding("repeatable", "gives two results for the same real and noise; draw from noise alone")
        elif not alike(fake[1:], fixed(*(torch.cat([-x[:1], x[1:]]) for x in (real, noise)))[1:]):
            yield Finding("rows apart", "makes a fake of other rows than its own; row i is of row i of real and noise")

    return collect(found())


def mixes_rows(module: nn.Module, x: Tensor) -> bool:
    """Returns whether, in training, a row's output has a derivative other than 0 with respect to another row."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = gradients_of(module.train()(x)[0], [x])
    return bool(gradient[1:].any())


# ---- checks that several kinds share --------------------------------------------------------------------------------

ROOT = ": torch.linalg.vector_norm has a gradient at 0, and the root of a sum has none unless 1e-12 is added to it"
LARGE = f"for scores of about ±{LARGE_SCORE:g}, which training may reach"
APART = "seeds share nothing: take sums and means over the batch alone, as .mean(1) does"
NO_GRADIENT = (
    "has a value that depends on the {of}, and a gradient that does not reach them, so that it trains nothing: give "
    "torch.autograd.grad create_graph=True, and return no .item(), .detach(), rounded or counted value"
)


def _until_error(*steps: Iterator[Finding]) -> Iterator[Finding]:
    """Yields the findings of each step up to the first with an error, which would also show in later steps."""
    for step in steps:
        findings = list(step)
        yield from findings
        if any(finding.is_error for finding in findings):
            return


def _same_each_time(call: Call) -> Iterator[Finding]:
    value, again = (call(SEEDS, torch.float32)[0] for _ in range(2))
    if not alike(value, again):
        yield Finding(
            "repeatable",
            f"gives {in_short(value)}, then {in_short(again)} for the same arguments; draw from rng alone, as "
            f"rng.uniform(n) does, and keep nothing from call to call",
        )


def _seeds_apart(call: Call) -> Iterator[Finding]:
    value, leaves = call(SEEDS, torch.float32)
    stacked = (value, *gradients_of(value, leaves))
    for place, seed in enumerate(SEEDS):
        own, own_leaves = call([seed], torch.float32)
        if not isinstance(own, Tensor) or own.shape != (1,):
            yield _wrong_shape(own, 1)
            return
        alone = (own, *gradients_of(own, own_leaves))
        same = [alike(each[place : place + 1], one) for each, one in zip(stacked, alone, strict=True)]
        if not all(same):
            what = "another gradient"
            if not same[0]:
                what = f"another value, {in_short(value[place : place + 1])} for {in_short(own)},"
            yield Finding("seeds apart", f"has {what} for a seed that is stacked than alone; {APART}")
            return


def _finite(call: Call, check: str, where: str, *, mend: str = "", is_error: bool = True) -> Iterator[Finding]:
    value, leaves = call(SEEDS, torch.float32)
    for name, tensors in (("is", [value]), ("has a gradient that is", gradients_of(value, leaves))):
        for tensor in tensors:
            if not tensor.isfinite().all():
                yield Finding(check, f"{name} {in_short(tensor)} {where}; must be finite{mend}", is_error)
                return


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
    return Finding(
        "shape", f"returns {got} for {n} {seeds}; must be a tensor of shape ({n},), as .mean(1) over the batch gives"
    )


def _gradient(calls: Sequence[Call], of: str, *, needed: bool = True) -> Iterator[Finding]:
    """Finds a value that changes with the tensors although no gradient near it reaches any of them.

    A value that changes between two points has a gradient between them, unless the gradient is lost or the value is a
    step function.

    Args:
        calls: The calls to make.
        of: The name of the tensors for messages.
        needed: Whether a constant value is an error; otherwise it is a warning.
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
            yield Finding("gradient", NO_GRADIENT.format(of=of))
            return
        any_reached, values = any_reached or reached, values + own
    if all(alike(values[0], other) for other in values):
        yield Finding("gradient", f"is the same whatever the {of}; it trains nothing, must depend on them", needed)
    elif not any_reached:
        yield Finding("gradient", NO_GRADIENT.format(of=of))


def _whole_gradient(calls: Sequence[Call]) -> Iterator[Finding]:
    if any(map(_is_partial, calls)):
        yield Finding(
            "whole gradient",
            "has a gradient by the critic's parameters that is not the derivative of its value: part of it is "
            "detached; right where that is meant, else see create_graph=True, .detach() and .item()",
            is_error=False,
        )


def _is_partial(call: Call) -> bool:
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


def _batch_size(penalty: Penalty, shape: tuple[int, ...], device: torch.device | str) -> Iterator[Finding]:
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
            yield Finding(
                "batch size",
                f"takes the gradient of a mean over the batch, which is that of a row divided by the rows: a critic of "
                f"slope 10 gets {in_short(few[1])} from {ROWS} equal rows and {in_short(many[1])} from {2 * ROWS}; "
                f"differentiate critic(x).sum(), then take .mean(1) of the result",
            )
            return
        if not is_finite or not all(map(alike, few, otherwise)):  # a mean of random numbers always varies
            continue
        yield Finding(
            "batch size",
            f"depends on the number of rows: {in_short(few[1])} for {ROWS} equal rows, {in_short(many[1])} for "
            f"{2 * ROWS}; a mean over the rows does not",
            is_error=False,
        )
        return


def _in_float64(value: Callable[[], Any]) -> Iterator[Finding]:
    try:
        made = value()
    except Exception as error:
        yield Finding(
            "float64", f"cannot be called in float64 ({reason(error)}), which tests use", False, line_of(error)
        )
        return
    if isinstance(made, Tensor) and made.dtype != torch.float64:
        yield Finding(
            "float64", f"returns {made.dtype} for torch.float64; make tensors with x.new_zeros and the like", False
        )


def _about(method: str, finding: Finding) -> Finding:
    return replace(finding, text=f"{method} {finding.text}")
