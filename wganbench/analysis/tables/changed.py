"""Short labels for what ``--set`` and ``--data`` changed in a run, with the full text in a footnote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wganbench.records.record import Record
from wganbench.spec import Experiment

SHORT = 40
"""The most characters of a change that is shown as it was typed."""

DATA = re.compile(r"""(?:^|\.)data=\{.*"image_folder".*\}$""")
"""The pattern of the change that ``--data`` makes: a folder of images in place of a data set."""


class Changes:
    """Labels for changes, and their numbered footnotes.

    Args:
        experiments: The unchanged specs, from which labels take the names of replaced data sets.
    """

    def __init__(self, experiments: Iterable[Experiment] = ()):
        self.experiments = {experiment.name: experiment for experiment in experiments}
        self.numbers: dict[str, int] = {}

    def label(self, record: Record) -> str:
        """The label, such as ``"steps=2400"`` or ``"cifar10→cifar10-jpeg75 [1]"``; empty for an unchanged spec."""
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
        """The data set that the spec names for this variant, or ``data`` if the spec no longer has the variant."""
        spec = self.experiments.get(record.experiment)
        if spec is None or record.profile not in spec.profiles or record.variant not in spec.variants:
            return "data"
        return spec.setting(record.variant, record.profile).data.name

    def notes(self) -> list[str]:
        """Returns a footnote for each label that is shortened."""
        return [f"[{cited}] Changed by --set or --data: {text}." for text, cited in self.numbers.items()]
