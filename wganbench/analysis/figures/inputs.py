"""Digests of what a figure is made from: its data and settings, and the code and libraries that draw it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wganbench.analysis.figures.drawing import Drawing
from wganbench.analysis.tables.published import headline
from wganbench.spec.figures import CurvesFigure
from wganbench.spec.strict import digest

LIBRARIES = ("matplotlib", "numpy", "pillow", "scipy", "seaborn")
CODE = (
    "analysis/figures/*.py",
    "analysis/architectures.py",
    "analysis/comparability.py",
    "analysis/results.py",
    "analysis/stats.py",
    "analysis/tables/cells.py",
    "analysis/tables/published.py",
    "analysis/tables/success.py",
    "spec/catalogue/*.py",
    "spec/measure_use.py",
)
"""The modules of this package, as patterns, on which the look of a figure depends."""
ABOUT = {"path", "question", "source", "version", "deviations"}
NOT_DRAWN = {*ABOUT, "pilot", "claims", "ablations", "published", "figures"}
"""The parts of a spec that no figure shows; the measures of claims do matter, and are added by name."""


def data_digest(drawing: Drawing[Any], checksums: Mapping[str, str]) -> str:
    """Returns a digest of the figure's settings, of its spec, and of the records that it is drawn from.

    Args:
        checksums: The checksum of each record, or its first digits, by run id; it covers the record's artefacts.
    """
    figure = drawing.figure
    names_no_measures = isinstance(figure, CurvesFigure) and not figure.measures
    return digest(
        {
            "figure": figure.model_dump(mode="json"),
            "profile": drawing.profile,
            "measures": headline(drawing.experiment) if names_no_measures else [],
            "experiment": drawing.experiment.model_dump(mode="json", exclude=NOT_DRAWN),
            "records": {
                variant: [[record.id, checksums[record.id]] for record in records]
                for variant, records in drawing.used.items()
            },
        }
    )


@cache
def tools_digest() -> str:
    """Returns a digest of this package's drawing code and of the versions of the libraries that draw."""
    package, code = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted({path for pattern in CODE for path in package.glob(pattern)}):
        code.update(path.read_bytes())
    return digest([code.hexdigest(), {name: version(name) for name in LIBRARIES}])
