"""Draws the figure of the samples that runs keep over training."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.figure

from wganbench.analysis.figures import plot
from wganbench.analysis.figures.artefacts import are_planar, arrays_of, unusable
from wganbench.analysis.figures.drawing import Drawing, about, title_of
from wganbench.analysis.tables.cells import number
from wganbench.records.record import Record
from wganbench.records.store import Store

CLOUDS = "clouds (steps, fake and real)"


def draw_clouds(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one row per variant, for the first seed that kept its samples."""
    rows = [row for variant, records in drawing.used.items() for row in _cloud(variant, records, store)]
    if not rows:
        record = next(iter(drawing.used.values()))[0]
        raise unusable(record, store, f"holds no {CLOUDS}, nor does that of any other seed or variant")
    window = drawing.figure.window
    key = f"dots: generated samples, blue: their density, orange: the data; window ±{number(window)}"
    return plot.clouds_figure(rows, title=title_of(drawing), about=about(drawing, key), window=window)


def _cloud(variant: str, records: Iterable[Record], store: Store) -> list[plot.Cloud]:
    """Returns the row of the first seed that kept its samples, if any; runs that keep pictures may have no samples."""
    for record in records:
        arrays = arrays_of(record, store, CLOUDS)
        fake, real = arrays.get("fake"), arrays.get("real")
        if fake is None and record.setting.pictures:
            continue
        if fake is None or real is None or not are_planar(fake, real, arrays["steps"]):
            raise unusable(record, store, f"holds no {CLOUDS}")
        gone = f"{record.status}\nat step {record.steps_done:,}" if record.status != "finished" else ""
        return [plot.Cloud(f"{variant}\nseed {record.seed}", arrays["steps"], fake, real, gone)]
    return []
