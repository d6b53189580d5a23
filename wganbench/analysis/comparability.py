"""Notes on scores for tables: the network behind them, its quality, and whether published values are comparable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from wganbench.measures.scores.protocol import (
    PUBLISHED,
    PUBLISHED_NETWORK,
    STACKED,
    UNCALIBRATED,
    About,
    classifier_in,
    of_classifier,
    of_stacked,
    path_of,
    read_about,
    with_counts,
)
from wganbench.records.record import Record
from wganbench.spec import MeasureUse, Setting
from wganbench.spec.catalogue import NAMES
from wganbench.spec.catalogue.entry import Scale

INCEPTION = "inception"
"""The protocol of planned runs that will have the published protocol if the network passes its self-test."""


USUAL = {"samples": 50_000, "splits": 10}
"""The numbers in the name of the published protocol, also of measures that have no splits."""
OF_FILE = {"classifier": of_classifier, "stacked_classifier": of_stacked}
"""The protocols of score networks in a file, by their names in a spec."""


def is_scored(use: MeasureUse, setting: Setting) -> bool:
    """Returns whether the measure reads the outputs of a score network, or another measure of ``setting`` that does."""
    return _score_in(use, setting) is not None


def _score_in(use: MeasureUse, setting: Setting) -> MeasureUse | None:
    """Returns the measure if it reads the outputs of a score network, or the first that does among those it reads."""
    entry = NAMES["measure"].get(use.measure.name)
    if entry is None or not entry.alike:
        return use if entry is not None and entry.scored else None
    read = [setting.measures.get(str(use.measure.options.get(option))) for option in entry.reads]
    return next((found for each in read if each is not None and (found := _score_in(each, setting))), None)


def protocol_of(use: MeasureUse, setting: Setting, records: Sequence[Record] = ()) -> str | None:
    """The score protocol of a measure: the one in the records or, if none has one, the planned one.

    Args:
        records: Pooled runs of ``setting``.

    Returns:
        The protocol, with the measure's numbers of samples and splits; None for a measure that is not a score.
    """
    score = _score_in(use, setting)
    if score is None or setting.score is None:
        return None
    recorded = [record.score_protocol for record in records if record.score_protocol]
    if recorded:
        samples, splits = (score.measure.options.get(name, usual) for name, usual in USUAL.items())
        return with_counts(recorded[0], samples, splits)
    of_file = OF_FILE.get(setting.score.name)
    return setting.score.name if of_file is None else of_file(setting.score.options["file"])


def may_stand_beside_published(protocol: str | None, scale: Scale) -> bool:
    """Returns whether numbers by ``protocol`` are on the scale of published ones; always true for non-scores (None)."""
    return scale.of_labels or protocol in (None, INCEPTION) or protocol.startswith(f"{PUBLISHED_NETWORK}-")


def notes(records: Iterable[Record]) -> list[str]:
    """Returns a line for each score protocol of the records: the network behind it, and what it can be compared with.

    Raises:
        DataError: If the file of a classifier is damaged.
    """
    by_protocol: dict[str, list[Record]] = {}
    for record in records:
        if record.score_protocol:
            by_protocol.setdefault(record.score_protocol, []).append(record)
    texts = ((protocol, _describe(protocol, by_protocol[protocol])) for protocol in sorted(by_protocol))
    return [f"Scores by {protocol}: {text}" for protocol, text in texts if text]


def _describe(protocol: str, records: Sequence[Record]) -> str:
    if protocol == PUBLISHED:
        return "the Inception graph of published scores, which gave CIFAR-10's training images what they are known for."
    if protocol.startswith(f"{INCEPTION}@") and protocol.endswith(UNCALIBRATED):
        return (
            "the weights have passed no self-test ('wganbench inception verify'), so nothing published stands beside."
        )
    name = classifier_in(protocol)
    if name is None:
        return ""
    return " ".join(_of_stacked(name) if protocol.startswith(f"{STACKED}@") else _of_classifier(name, records))


def _of_stacked(name: str) -> Iterator[str]:
    path = path_of(name)
    known = "" if not path.exists() else f", {_trained(read_about(path))}"
    yield f"the classifier {name}{known}, which labels each channel of an image; a class is the labels of all of them."
    yield "Counts of classes and their divergence stand beside published ones, which rest on other classifiers."


def _trained(classifier: About) -> str:
    size, accuracy = f"{classifier.size}×{classifier.size}", f"{100 * classifier.test_accuracy:.4g} %"
    return f"trained on {classifier.data} at {size} (test accuracy {accuracy})"


def _of_classifier(name: str, records: Sequence[Record]) -> Iterator[str]:
    path = path_of(name)
    if not path.exists():
        yield f"a classifier whose file is not here; {path.name} says how accurate it is."
        return
    classifier = read_about(path)
    real = f"{classifier.real_score:.2f} ± {classifier.real_score_spread:.2f}"
    yield (
        f"a classifier of this suite's, {_trained(classifier)}. The test images themselves score {real} (over "
        f"splits), the most is {classifier.classes}."
    )
    other = sorted({data_of(record) for record in records if not _was_trained_on(classifier, record)})
    if other:
        yield f"It was not trained on what it scores here: {', '.join(other)}."
    yield "Its scores are compared with each other and with nothing that is published."


def _was_trained_on(classifier: About, record: Record) -> bool:
    """Returns whether the classifier was trained on the record's data set.

    Data sets of the same name are distinguished by checksum, if the run got as far as opening its data.
    """
    return data_of(record) == classifier.data and record.data_checksum in (None, classifier.train_checksum)


def basis_of(record: Record) -> tuple[str, str]:
    """The score protocol and the data checksum, which comparable runs share; empty where the record has none."""
    return record.score_protocol or "", record.data_checksum or ""


def data_of(record: Record) -> str:
    """The name of the data set, or of the folder if it is a folder of images."""
    options: dict[str, Any] = record.setting.data.options
    return str(options.get("folder") or record.setting.data.name)
