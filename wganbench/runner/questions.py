"""The questions that ``wganbench judge`` asks of an object before anything is trained, each with its answer.

`wganbench.runner.conformance` stops at the first error of an object, as a run has to. Here every question gets a line,
and a penalty is asked some more, which no run depends on, but a table of results does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from wganbench.errors import ExtensionError, first_line
from wganbench.records.submission import OUTCOMES, Outcome
from wganbench.rng import Streams
from wganbench.runner import conformance
from wganbench.runner.conformance import ROWS, SEEDS
from wganbench.runner.findings import Add, Finding, NonconformingError, collect
from wganbench.runner.probes import BatchNormCritic, SmoothCritic, alike, gradients_of, in_short, normal
from wganbench.runner.resolve import NamedLosses, check_signature, constraint, factory, kind_of, objective
from wganbench.spec import Component
from wganbench.training.method import Penalty
from wganbench.training.stack import build

SHAPES = ((2,), (3, 4, 4))
"""The shapes of a sample that a penalty is called on: a point of the plane, and an image."""
OF_NETWORKS = (3, 16, 16)
"""The shape of a sample that a critic is called on: an image that all built-in critics take."""
OTHER_SEED, OTHER_ROW = 1, 2
"""The seed and the row that are moved, to see whether the others notice."""
CONSTANT = 7.0
"""What is added to the scores of a critic, to see whether a penalty notices."""
BF16_TOLERANCE = 0.1
"""The largest deviation under bfloat16, whose numbers have eight bits, relative to the largest value."""

QUESTIONS = {
    "call": "it can be called",
    "shape": "it returns one value for each seed",
    "dtype": "its numbers have the type of its inputs",
    "repeatable": "it returns the same again for the same arguments",
    "seeds apart": "a seed gets the same value and gradient in a stack as alone",
    "one seed moved": "moving one seed's batch leaves the value and gradient of the others",
    "rows apart": "what a row adds does not depend on the other rows",
    "batch size": "it is a mean over the rows, and its gradients are those of single rows",
    "batch of 1": "it is finite for a batch of one row",
    "gradient": "a gradient reaches what it trains",
    "twice": "a penalty on its input gradient reaches its parameters",
    "whole gradient": "that gradient is the derivative of its value, through the input gradient too",
    "finite": "its value and its gradient are finite",
    "zero gradient": "they are finite where the critic is constant",
    "large scores": "they are finite for the scores of a critic that is certain",
    "batch norm": "it is sound for a critic with batch normalisation",
    "constant": "it does not notice a constant that is added to the critic",
    "float64": "it can be called in float64",
    "agreement": "float32 agrees with float64",
    "bf16": "it agrees with itself if the critic computes in bfloat16",
    "in place": "it changes parameters in place",
    "parameters": "it has parameters",
}
"""What each check asks, in the order of the answers."""

STOPPING = {
    "penalty": (
        *("shape", "dtype", "repeatable", "batch size", "seeds apart"),
        *("gradient", "whole gradient", "finite", "zero gradient", "float64"),
    ),
    "objective": ("shape", "dtype", "finite", "repeatable", "seeds apart", "gradient", "large scores", "float64"),
    "projection": ("finite", "in place", "repeatable", "seeds apart"),
    "network": ("parameters", "repeatable", "shape", "dtype", "gradient", "seeds apart", "rows apart", "float64"),
    "generator": ("parameters", "repeatable", "shape", "dtype", "gradient", "seeds apart", "float64"),
}
"""The checks of `wganbench.runner.conformance` by kind of object; after an error those that follow are left."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        check: The question's name, a key of `QUESTIONS`.
        outcome: ``not reached`` if an earlier check failed, without which this one cannot be made.
        text: What was found, with the value and the remedy; empty for most passes.
    """

    check: str
    outcome: Outcome
    text: str = ""


def ask(name: str, options: dict[str, Any], device: torch.device | str = "cpu") -> tuple[str, list[Answer]]:
    """Asks all questions of an object; returns its kind and the answers, in the order of `QUESTIONS`.

    Args:
        name: A built-in objective, constraint or network, or ``package.module:object``.
        options: The object's options.
        device: The device to call it on.

    Raises:
        ExtensionError: If it cannot be imported, is of no kind that can be asked, or does not accept its options.
    """
    kind = kind_of(name)
    try:
        component = Component.resolve(kind, {"name": name, **options})
    except ValueError as error:
        raise ExtensionError(f"{name}: {error}") from None
    check_signature(kind, component)
    if kind == "objective":
        return kind, _objective_answers(objective(component), device)
    if kind == "network":
        return kind, ask_network(component, Shapes(OF_NETWORKS, (), "warning"), device)
    penalty, projection = constraint([component])
    if projection is not None:
        return "projection", _answered("projection", conformance.check_projection(projection, device), {})
    assert penalty is not None
    of_shapes = (_penalty_answers(penalty, shape, device) for shape in SHAPES)
    return "penalty", [min(each, key=lambda one: OUTCOMES.index(one.outcome)) for each in zip(*of_shapes, strict=True)]


@dataclass(frozen=True)
class Shapes:
    """What a network is called with and must return, both without the batch.

    Attributes:
        input, output: The shapes.
        rows: Severity of mixing the rows of a batch, ``"error"`` or ``"warning"``; None for a generator, which may.
    """

    input: tuple[int, ...]
    output: tuple[int, ...]
    rows: str | None


def ask_network(component: Component, shapes: Shapes, device: torch.device | str = "cpu") -> list[Answer]:
    """Asks all questions of a network, in the order of `QUESTIONS`; a critic is asked some more than a generator.

    Args:
        component: The network.
        shapes: The shapes of its input and its output.
        device: The device to call it on.
    """
    make = partial(factory("network", component), shapes.input, shapes.output)
    found = conformance.check_network(make, shapes.input, shapes.output, rows=shapes.rows, device=device)
    if shapes.rows is None:
        return _answered("generator", found, {})
    is_callable = not any(each.is_error and each.check in ("call", "parameters", "shape", "dtype") for each in found)
    more = {
        check: collect(partial(ask_one, make, shapes.input, device)) if is_callable else None
        for check, ask_one in OF_CRITICS.items()
    }
    return _answered("network", found, more)


def _objective_answers(losses: NamedLosses, device: torch.device | str) -> list[Answer]:
    found = conformance.check_objective(losses, device, reads_real=losses.generator_reads_real)
    is_callable = not any(finding.is_error and finding.check in ("call", "shape", "dtype") for finding in found)
    more = {
        check: collect(partial(ask_one, losses, device)) if is_callable else None
        for check, ask_one in OF_OBJECTIVES.items()
    }
    return _answered("objective", found, more)


def _penalty_answers(penalty: Penalty, shape: tuple[int, ...], device: torch.device | str) -> list[Answer]:
    found = conformance.check_penalty(penalty, shape, device)
    probe = Probe(penalty, shape, device)
    is_callable = not any(finding.is_error and finding.check in ("call", "shape", "dtype") for finding in found)
    more = {check: collect(partial(ask_one, probe)) if is_callable else None for check, ask_one in OF_PENALTIES.items()}
    return _answered("penalty", found, more)


def _answered(kind: str, found: Sequence[Finding], more: dict[str, list[Finding] | None]) -> list[Answer]:
    """Turns findings into answers: one for each question that can be asked of the kind, and ``not applicable`` else."""
    asked = ("call", *STOPPING[kind])
    stop = min((asked.index(each.check) for each in found if each.is_error and each.check in asked), default=len(asked))
    if any(each.is_error and each.check == "call" for each in found):
        stop = 0
    answers = []
    for check in QUESTIONS:
        own = [finding for finding in found if finding.check == check]
        if check in more:
            extra = more[check]
            answers.append(Answer(check, "not reached") if extra is None else _answer(check, [*own, *extra]))
        elif check not in asked:
            answers.append(Answer(check, "not applicable"))
        elif not own and asked.index(check) > stop:
            answers.append(Answer(check, "not reached"))
        else:
            answers.append(_answer(check, own))
    return answers


def _answer(check: str, found: Sequence[Finding]) -> Answer:
    if not found:
        return Answer(check, "pass")
    texts = dict.fromkeys(f"{each.text} ({each.line})" if each.line else each.text for each in found)
    return Answer(check, "fail" if any(each.is_error for each in found) else "warning", "; ".join(texts))


# ---- further questions about a penalty -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """Calls a penalty on batches of two seeds.

    Attributes:
        penalty: The penalty.
        shape: The shape of a sample.
        device: The device to call it on.
    """

    penalty: Penalty
    shape: tuple[int, ...]
    device: torch.device | str

    def critic(self, dtype: torch.dtype = torch.float32) -> SmoothCritic:
        """Returns a critic whose gradient norm is about 2, where no built-in penalty is 0."""
        return SmoothCritic(SEEDS, self.shape, 2.0, 0.0, dtype, self.device)

    def batches(self, rows: int = ROWS, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Returns real and fake samples, ``(2, rows, *shape)``."""
        real, fake = (normal(SEEDS, name, (rows, *self.shape), dtype, self.device) for name in ("real", "fake"))
        return real, fake

    def value(self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        """Returns the penalty, ``(2,)``, with the same random numbers in each call."""
        return self.penalty(critic, real, fake, Streams(SEEDS, "penalty", self.device))


def _one_seed_moved(probe: Probe, add: Add) -> None:
    """Finds a seed that notices what happens in another seed's batch."""

    def seen(moved: float) -> list[Tensor]:
        critic, (real, fake) = probe.critic(), probe.batches()
        real[OTHER_SEED] += moved
        fake[OTHER_SEED] -= moved
        value = probe.value(critic, real, fake)
        return [each[:OTHER_SEED].detach() for each in (value, *gradients_of(value, critic.parameters))]

    before, after = seen(0.0), seen(0.5)
    if not all(map(alike, before, after)):
        text = f"goes from {in_short(before[0])} to {in_short(after[0])} as another seed's batch moves, or its gradient"
        raise NonconformingError("one seed moved", f"{text} changes; {conformance.APART}")


def _rows_apart(probe: Probe, add: Add) -> None:
    """Finds rows that depend on each other, by a second difference: it is 0 for a sum of functions of one row each."""

    def value(*moved: int) -> Tensor:
        real, fake = probe.batches(dtype=torch.float64)
        for row in moved:
            real[:, row] += 1.0
            fake[:, row] -= 0.5
        return probe.value(probe.critic(torch.float64), real, fake).detach()

    found = _changes_of_a_row(value)
    if found:
        text = (
            f"changes by {in_short(found[0])} as a row moves, and by {in_short(found[1])} if another has moved before; "
            f"take a mean of what each row has by itself, unless this is meant, as in DRAGAN's standard deviation"
        )
        add(Finding("rows apart", text, is_error=False))


def _changes_of_a_row(value: Callable[..., Tensor]) -> tuple[Tensor, Tensor] | None:
    """Returns how a value changes as a row moves: alone, and after another row has moved; None if that is the same.

    Args:
        value: Returns the value after moving the rows of these numbers.
    """
    neither, one, other, both = value(), value(0), value(OTHER_ROW), value(0, OTHER_ROW)
    alone, together = one - neither, both - other
    return None if alike(alone, together, 1e-6) else (alone, together)


def _batch_of_1(probe: Probe, add: Add) -> None:
    critic = probe.critic()
    value = probe.value(critic, *probe.batches(1))
    if not all(each.isfinite().all() for each in (value, *gradients_of(value, critic.parameters))):
        text = f"is {in_short(value)} for one row, or has a gradient that is not finite; the last batch may be as small"
        raise NonconformingError("batch of 1", text)


def _batch_norm(probe: Probe, add: Add) -> None:
    """Names the combination as unsound if the penalty reads the critic's input gradient."""
    critic = BatchNormCritic(probe.critic())
    value = probe.value(critic, *probe.batches())
    if not all(each.isfinite().all() for each in (value, *gradients_of(value, critic.parameters))):
        raise NonconformingError("batch norm", f"is {in_short(value)}, or has a gradient that is not finite")
    if not _reads_gradient(probe):
        return
    text = (
        "is finite, and unsound: with batch normalisation in the critic the gradient at a row holds what the row does "
        "to the scores of others, so it bounds no slope (Gulrajani et al. 2017, § 4); use layer normalisation"
    )
    add(Finding("batch norm", text, is_error=False))


def _reads_gradient(probe: Probe) -> bool:
    """Returns whether the penalty depends on the critic's input gradient: it cannot be computed without one."""
    critic = probe.critic()
    try:
        probe.value(lambda x: critic(x.detach()), *probe.batches())
    except RuntimeError:
        return True
    return False


def _constant(probe: Probe, add: Add) -> None:
    real, fake = probe.batches(dtype=torch.float64)
    critic = probe.critic(torch.float64)
    value, raised = (probe.value(lambda x, by=by: critic(x) + by, real, fake).detach() for by in (0.0, CONSTANT))  # type: ignore[misc]
    if not alike(value, raised, 1e-6):
        text = (
            f"goes from {in_short(value)} to {in_short(raised)} as {CONSTANT:g} is added to all scores, which changes "
            f"no gradient and no estimate; right where a drift of the scores is to be held"
        )
        add(Finding("constant", text, is_error=False))


def _agreement(probe: Probe, add: Add) -> None:
    single, double = (
        probe.value(probe.critic(dtype), *probe.batches(dtype=dtype)).detach().double()
        for dtype in (torch.float32, torch.float64)
    )
    if not alike(single, double, 1e-4):
        text = f"is {in_short(single)} in float32 and {in_short(double)} in float64; what is rounded, or cancels out?"
        raise NonconformingError("agreement", text)


def _bf16(probe: Probe, add: Add) -> None:
    """Compares with a critic that computes as one does under ``precision = "bf16"``."""
    critic, device = probe.critic(), torch.device(probe.device).type

    def rounded(x: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, cache_enabled=False):
            return critic(x).float()

    exact, value = probe.value(critic, *probe.batches()), probe.value(rounded, *probe.batches())
    gradients = gradients_of(value, critic.parameters)
    if not all(each.isfinite().all() for each in (value, *gradients)):
        raise NonconformingError("bf16", f"is {in_short(value)}, or has a gradient that is not finite; {BF16_REMEDY}")
    if not alike(exact, value, BF16_TOLERANCE):
        raise NonconformingError("bf16", f"is {in_short(value)}, and {in_short(exact)} in float32; {BF16_REMEDY}")


BF16_REMEDY = (
    "differences of scores cancel in eight bits, so take them in float32, and of the input gradient if possible"
)

OF_PENALTIES: dict[str, Callable[[Probe, Add], None]] = {
    "one seed moved": _one_seed_moved,
    "rows apart": _rows_apart,
    "batch of 1": _batch_of_1,
    "batch norm": _batch_norm,
    "constant": _constant,
    "agreement": _agreement,
    "bf16": _bf16,
}
"""The further questions about a penalty; each adds its findings, or raises one."""


# ---- further questions about an objective ----------------------------------------------------------------------------


def _losses(losses: NamedLosses, real: Tensor, fake: Tensor) -> Tensor:
    """Returns the losses of the critic and of the generator, ``(2 seeds, 2)``."""
    given = (fake, real) if losses.generator_reads_real else (fake,)
    return torch.stack([losses.critic_loss(real, fake), losses.generator_loss(*given)], dim=1).detach()


def _scores(device: torch.device | str, rows: int = ROWS, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Returns scores of real and of fake samples, ``(2, rows)``."""
    real, fake = (normal(SEEDS, name, (rows,), dtype, device) for name in ("real scores", "fake scores"))
    return real, fake


def _loss_of_one_seed_moved(losses: NamedLosses, device: torch.device | str, add: Add) -> None:
    real, fake = _scores(device)
    before = _losses(losses, real, fake)[:OTHER_SEED]
    real[OTHER_SEED] += 0.5
    fake[OTHER_SEED] -= 0.5
    after = _losses(losses, real, fake)[:OTHER_SEED]
    if not alike(before, after):
        text = f"go from {in_short(before)} to {in_short(after)} as another seed's scores move; {conformance.APART}"
        raise NonconformingError("one seed moved", f"its losses {text}")


def _loss_by_rows(losses: NamedLosses, device: torch.device | str, add: Add) -> None:
    """Finds rows that depend on each other, as `_rows_apart` does."""

    def value(*moved: int) -> Tensor:
        real, fake = _scores(device)
        for row in moved:
            real[:, row] += 1.0
            fake[:, row] -= 0.5
        return _losses(losses, real, fake)

    found = _changes_of_a_row(value)
    if found:
        text = (
            f"its losses change by {in_short(found[0])} as a row moves, and by {in_short(found[1])} if another has "
            f"moved before; take a mean of what each row has by itself, unless this is meant, as in a relativistic "
            f"average"
        )
        add(Finding("rows apart", text, is_error=False))


def _loss_of_one_row(losses: NamedLosses, device: torch.device | str, add: Add) -> None:
    value = _losses(losses, *_scores(device, rows=1))
    if not value.isfinite().all():
        raise NonconformingError("batch of 1", f"its losses are {in_short(value)} for one row; must be finite")


def _losses_agree(losses: NamedLosses, device: torch.device | str, add: Add) -> None:
    double = _losses(losses, *_scores(device))
    single = _losses(losses, *_scores(device, dtype=torch.float32)).double()
    if not alike(single, double, 1e-4):
        text = f"its losses are {in_short(single)} in float32 and {in_short(double)} in float64; what cancels out?"
        raise NonconformingError("agreement", text)


OF_OBJECTIVES: dict[str, Callable[[NamedLosses, torch.device | str, Add], None]] = {
    "one seed moved": _loss_of_one_seed_moved,
    "rows apart": _loss_by_rows,
    "batch of 1": _loss_of_one_row,
    "agreement": _losses_agree,
}
"""The further questions about an objective; each adds its findings, or raises one."""


# ---- further questions about a critic --------------------------------------------------------------------------------

Make = Callable[[], nn.Module]


def _critic(make: Make, shape: Sequence[int], rows: int, device: torch.device | str) -> tuple[nn.Module, Tensor]:
    """Returns a critic of one seed, and a batch for it, ``(rows, *shape)``, that asks for its gradient."""
    (module,) = build(make, SEEDS[:1], "conformance", device)
    x = normal(SEEDS[:1], "input", (rows, *shape), torch.float32, device)[0]
    return module.train(), x.requires_grad_()


def _penalised(make: Make, shape: Sequence[int], device: torch.device | str, add: Add) -> None:
    """Takes the gradient of a squared input gradient: every penalty of the gradient needs it."""
    module, x = _critic(make, shape, ROWS, device)
    weights = [each for each in module.parameters() if each.requires_grad]
    (slope,) = torch.autograd.grad(module(x).square().sum(), [x], create_graph=True, materialize_grads=True)
    if not slope.requires_grad:
        text = "has an input gradient that has no derivative: a penalty of it, as in WGAN-GP, trains nothing"
        add(Finding("twice", text, is_error=False))
        return
    reached = gradients_of(slope.square().sum(), weights)
    if not all(each.isfinite().all() for each in (slope, *reached)):
        raise NonconformingError("twice", "has an input gradient, or a derivative of it, that is not finite")
    if not any(each.any() for each in reached):
        raise NonconformingError("twice", "has an input gradient on which no parameter has an effect")


def _score_of_one_row(make: Make, shape: Sequence[int], device: torch.device | str, add: Add) -> None:
    module, x = _critic(make, shape, 1, device)
    try:
        value = module(x)
    except Exception as error:
        text = f"cannot be called for a batch of one row: {first_line(error)}; the last batch may be as small"
        add(Finding("batch of 1", text, is_error=False))
        return
    if not value.isfinite().all():
        raise NonconformingError("batch of 1", f"is {in_short(value)} for a batch of one row; must be finite")


OF_CRITICS: dict[str, Callable[[Make, Sequence[int], torch.device | str, Add], None]] = {
    "twice": _penalised,
    "batch of 1": _score_of_one_row,
}
"""The further questions about a critic; each adds its findings, or raises one."""
