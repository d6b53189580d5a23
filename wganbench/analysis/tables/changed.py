"""What ``--set`` and ``--data`` changed in a run, in a few words for a table, with the full text in a footnote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wganbench.records.record import Record
from wganbench.spec import Experiment

SHORT = 40
"""Characters of a change that is shown as it was typed."""

DATA = re.compile(r"""(?:^|\.)data=\{.*"image_folder".*\}$""")
"""Of the change that ``--data`` makes: a folder of images, in a set's place."""


class Changes:
    """Labels for what was changed, and the numbered notes behind them.

    Args:
        experiments: Specs as they stand, from which a label has the name of the data that were replaced.
    """

    def __init__(self, experiments: Iterable[Experiment] = ()):
        self.experiments = {experiment.name: experiment for experiment in experiments}
        self.numbers: dict[str, int] = {}

    def label(self, record: Record) -> str:
        """Such as ``"steps=2400"`` or ``"cifar10→cifar10-jpeg75 [1]"``; empty for a run of the spec as it stands."""
        shown = list(dict.fromkeys(self._short(text, record) for text in record.overrides))
        if shown == record.overrides:
            return ", ".join(shown)
        cited = self.numbers.setdefault("; ".join(record.overrides), len(self.numbers) + 1)
        return f"{', '.join(shown)} [{cited}]"

    def _short(self, text: str, record: Record) -> str:
        if DATA.search(text):
            return f"{self._original(record)}→{record.setting.data.options.get('folder', record.setting.data.name)}"
        path = text.partition("=")[0]
        return text if len(text) <= SHORT else f"{path.rpartition('.')[2][:SHORT]}=…"

    def _original(self, record: Record) -> str:
        """The data set that the spec names for this variant, or ``data`` where the spec has it no more."""
        spec = self.experiments.get(record.experiment)
        if spec is None or record.profile not in spec.profiles or record.variant not in spec.variants:
            return "data"
        return spec.setting(record.variant, record.profile).data.name

    def notes(self) -> list[str]:
        """A line for each label that leaves something out."""
        return [f"[{cited}] Changed by --set or --data: {text}." for text, cited in self.numbers.items()]
