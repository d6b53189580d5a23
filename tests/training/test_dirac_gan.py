"""The Dirac-GAN: distances known beforehand, and each of its variants against an iteration in float64."""

from __future__ import annotations

import math

import pytest
import torch

from wganbench.runner.build import make_trainer
from wganbench.spec import load

SPEC = load("dirac-gan")
RATE = 0.2
EXACT = {
    "gan": ("3.10", "1.42", "1.85"),
    "non-saturating": ("0.64", "0.28", "0.14"),
    "wgan-clip": ("1.00", "1.02", "0.92"),
    "gan-r1": ("2.6e-06", "2.3e-07", "9e-34"),
}
"""Distances from the equilibrium after 500 steps from (1, −1), with simultaneous updates and with one and five critic
steps after each generator step, by an independent computation."""
ORDERS = ("simultaneous", "alternating", "five")


def trained(variant, steps):
    """The generator's and the critic's parameter after each step, from (1, −1)."""
    trainer = make_trainer(SPEC.setting(variant, "paper"), [0], torch.device("cpu"))
    path = []
    for _ in range(steps):
        trainer.step()
        path.append((trainer.generator.parameters["theta"].item(), trainer.critic.parameters["psi"].item()))
    return path


@pytest.mark.parametrize(
    ("method", "order"),
    [
        pytest.param(method, order, marks=[] if order == "simultaneous" else pytest.mark.slow)
        for method in EXACT
        for order in ORDERS
    ],
)
def test_distances_after_500_steps_are_those_computed_beforehand(method, order):
    known = EXACT[method][ORDERS.index(order)]
    digits = len(known.partition(".")[2]) if "e" not in known else None
    found = math.hypot(*trained(f"{method}-{order}", 500)[-1])
    if digits is not None:
        assert f"{found:.{digits}f}" == known
    else:
        assert float(f"{found:.{len(known.partition('e')[0].replace('.', '')) - 1}e}") == float(known)


# ---- the same in float64, by formulas -------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def sign(x):
    return (x > 0) - (x < 0)


OBJECTIVES = {  # the derivatives of the critic's and of the generator's loss by the fake's score s; the real's is 0
    "gan": (sigmoid, lambda s: -sigmoid(s)),
    "non-saturating": (sigmoid, lambda s: -sigmoid(-s)),
    "lsgan": (lambda s: s, lambda s: 2 * (s - 1)),
    "hinge": (lambda s: float(s > -1), lambda s: -1.0),
    "relativistic-paired": (sigmoid, lambda s: -sigmoid(-s)),
    "relativistic-average": (lambda s: 2 * sigmoid(s), lambda s: -2 * sigmoid(-s)),
    "wgan": (lambda s: 1.0, lambda s: -1.0),
}
PENALTIES = {  # the derivative of the penalty by ψ; a linear critic has the gradient ψ everywhere
    "gp": lambda p: (abs(p) - 1) * sign(p),
    "gp-one-sided": lambda p: max(0.0, abs(p) - 1) * sign(p),
    "gp-linear": lambda p: 0.5 * (abs(p) > 1) * sign(p),
    "zero-centred": lambda p: 0.3 * p,
    "dragan": lambda p: (abs(p) - 1) * sign(p),
    "r1": lambda p: 0.3 * p,
    "r2": lambda p: 0.3 * p,
    "r1-r2": lambda p: 0.6 * p,
}


def parts_of(method):
    """The objective and the constraint of a method by its name, such as ``wgan-gp``."""
    if method == "r3gan":
        return "relativistic-paired", "r1-r2"
    objective = next(name for name in sorted(OBJECTIVES, key=len, reverse=True) if method.startswith(name))
    return objective, method[len(objective) + 1 :]


def iterated(method, order, steps):
    objective, constraint = parts_of(method)
    of_critic, of_generator = OBJECTIVES[objective]
    penalty = PENALTIES.get(constraint, lambda p: 0.0)
    bound = 1.0 if constraint in ("clip", "rescale") else math.inf

    def next_psi(theta, psi):
        return max(-bound, min(bound, psi - RATE * (of_critic(psi * theta) * theta + penalty(psi))))

    def next_theta(theta, psi):
        return theta - RATE * of_generator(psi * theta) * psi

    theta, psi = 1.0, -1.0
    path = []
    for _ in range(steps):
        if order == "simultaneous":
            theta, psi = next_theta(theta, psi), next_psi(theta, psi)
        else:
            theta = next_theta(theta, psi)
            for _ in range(5 if order == "five" else 1):
                psi = next_psi(theta, psi)
        path.append((theta, psi))
    return path


@pytest.mark.parametrize("variant", SPEC.variants)
def test_a_path_is_that_of_an_iteration_in_float64(variant):
    method, _, order = variant.rpartition("-")
    for found, expected in zip(trained(variant, 20), iterated(method, order, 20), strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_r1_contracts_by_the_spectral_radius_of_the_updates_jacobian():
    """The claim's numbers, from the matrices of the linearised updates with f′(0) = ½."""
    h, gamma = RATE, 0.3
    critic = torch.tensor([[1.0, 0.0], [-h / 2, 1 - h * gamma]], dtype=torch.float64)
    generator = torch.tensor([[1.0, h / 2], [0.0, 1.0]], dtype=torch.float64)
    both = critic + generator - torch.eye(2)
    continuous = (both - torch.eye(2)) / h
    root = complex(gamma**2 / 4 - 1 / 4) ** 0.5
    eigenvalues = sorted(torch.linalg.eigvals(continuous).tolist(), key=lambda each: each.imag)
    assert eigenvalues == pytest.approx([-gamma / 2 - root, -gamma / 2 + root])
    updates = {"simultaneous": both, "alternating": critic @ generator}
    updates["five"] = torch.linalg.matrix_power(critic, 5) @ generator
    (claim,) = (claim for claim in SPEC.claims if claim.id == "r1-contracts-as-predicted")
    for check in claim.checks:
        order = check.id.rpartition("-")[2]
        radius = torch.linalg.eigvals(updates[order]).abs().max().item()
        low, high = (bound.at_least or bound.at_most for bound in check.criteria)
        assert ((low + high) / 2, (high - low) / 2) == pytest.approx((radius, 0.005), abs=1e-4)
        assert f"{radius:.4f}" in claim.says
