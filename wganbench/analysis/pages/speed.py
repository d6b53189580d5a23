"""The page of measured speeds, ``speed/README.md`` in the results folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wganbench.analysis.tables.speed import section
from wganbench.records.speeds import Device
from wganbench.spec import Experiment


def speed_page(devices: Sequence[Device], experiments: Sequence[Experiment]) -> Iterator[str]:
    """Yields the paragraphs of the page; none if nothing was measured."""
    if devices:
        yield "# Measured speeds"
        yield from section(devices, experiments)
