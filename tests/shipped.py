"""The experiments that ship, which all tests that only read them share: to load every one takes seconds."""

from functools import cache

from wganbench.spec import Experiment, available, load

shipped = cache(load)
"""Loads a spec by its name, once in a process."""


def every_experiment() -> list[Experiment]:
    """Returns all experiments that ship."""
    return [shipped(name) for name in available()]
