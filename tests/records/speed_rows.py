"""Speeds that nobody measured."""

from __future__ import annotations

from wganbench.records.speeds import Peer, Row, Spread, summary

ROUNDS = {
    "plain": [100.0, 110.0, 50.0],
    "one": [80.0, 100.0, 40.0],
    "stack": [40.0, 55.0, 30.0],
    "matmul": [1e9, 2e9, 1e9],
}
PEER = Peer(
    function="mine:step",
    package="other-gan",
    version="1.2",
    rate=Spread(median=20.0, low=15.0, high=21.0),
    ratio=Spread(median=8.0, low=6.0, high=8.4),
)


def row(variant="good", **changes) -> Row:
    """Of a stack of 4, with 1 MFLOP a step and seed, by ``ROUNDS``."""
    about = {
        "experiment": "made",
        "profile": "quick",
        "variant": variant,
        "family": f"{variant}-0000000000",
        "target": None,
        "jobs": 1,
        "seeds": 4,
        "threads": 1,
        "execution": "eager",
        "precision": "fp32",
        "torch": "2.0",
        "commit": "0123456789abcdef",
        "dirty": False,
        "when": "2026-01-02T03:04:05+00:00",
        "memory_bytes": 300 * 2**20,
    }
    return Row(**{**about, **summary(ROUNDS, 4, 1e6), **changes})


def spread(median: float) -> Spread:
    return Spread(median=median, low=median * 0.9, high=median * 1.1)
