"""What tables say of scores: by which network, how good that is, and whether anything published may stand beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from wganbench.measures.scores.protocol import (
    PUBLISHED,
    UNCALIBRATED,
    About,
    classifier_in,
    of_classifier,
    path_of,
    read_about,
)
from wganbench.records.record import Record
from wganbench.spec import MeasureUse, Setting
from wganbench.spec.catalogue import NAMES

INCEPTION = "inception"
"""The protocol of runs that are planned, and will have the published one if the network passes its self-test."""


def is_scored(use: MeasureUse, setting: Setting) -> bool:
    """Whether the measure reads what a score network says of images, or a measure of ``setting`` that does."""
    entry = NAMES["measure"].get(use.measure.name)
    if entry is None or not entry.alike:
        return entry is not None and entry.scored
    read = [setting.measures.get(str(use.measure.options.get(option))) for option in entry.reads]
    return any(each is not None and is_scored(each, setting) for each in read)


def protocol_of(use: MeasureUse, setting: Setting, records: Sequence[Record] = ()) -> str | None:
    """What the numbers of a measure are scores by: as the records say, or where there are none as it is planned.

    Args:
        records: Runs of ``setting`` that are pooled.

    Returns:
        None for a measure that is no score.
    """
    if not is_scored(use, setting) or setting.score is None:
        return None
    recorded = [record.score_protocol for record in records if record.score_protocol]
    if recorded:
        return recorded[0]
    return of_classifier(setting.score.options["file"]) if setting.score.name == "classifier" else setting.score.name


def may_stand_beside_published(protocol: str | None) -> bool:
    """Whether numbers by ``protocol`` and published ones are of one scale; those that are no scores (None) are."""
    return protocol in (None, PUBLISHED, INCEPTION)


def left_out(measure: str) -> str:
    """Says why published scores are not there."""
    return (
        f"Published values of {measure} are left out: these runs are scored by another network, on a scale of its own."
    )


def notes(records: Iterable[Record]) -> list[str]:
    """A line for each score protocol of the records: what is behind it, and what it may be compared with.

    Raises:
        DataError: If the file of a classifier is damaged.
    """
    by_protocol: dict[str, list[Record]] = {}
    for record in records:
        if record.score_protocol:
            by_protocol.setdefault(record.score_protocol, []).append(record)
    texts = ((protocol, _told(protocol, by_protocol[protocol])) for protocol in sorted(by_protocol))
    return [f"Scores by {protocol}: {text}" for protocol, text in texts if text]


def _told(protocol: str, records: Sequence[Record]) -> str:
    if protocol == PUBLISHED:
        return "the Inception graph of published scores, which gave CIFAR-10's training images what they are known for."
    if protocol.startswith(f"{INCEPTION}@") and protocol.endswith(UNCALIBRATED):
        return (
            "the weights have passed no self-test ('wganbench inception verify'), so nothing published stands beside."
        )
    name = classifier_in(protocol)
    return "" if name is None else " ".join(_of_classifier(name, records))


def _of_classifier(name: str, records: Sequence[Record]) -> Iterator[str]:
    path = path_of(name)
    if not path.exists():
        yield f"a classifier whose file is not here; {path.name} says how accurate it is."
        return
    about = read_about(path)
    yield (
        f"a classifier of this suite's, trained on {about.data} at {about.size}×{about.size} (test accuracy "
        f"{100 * about.test_accuracy:.4g} %). The test images themselves score {about.real_score:.2f} ± "
        f"{about.real_score_spread:.2f} (over splits), the most is {about.classes}."
    )
    other = sorted({data_of(record) for record in records if not _was_trained_on(about, record)})
    if other:
        yield f"It was not trained on what it scores here: {', '.join(other)}."
    yield "Its scores are compared with each other and with nothing that is published."


def _was_trained_on(about: About, record: Record) -> bool:
    """Two sets that go by one name are told apart by their checksums, where a run got as far as to open its data."""
    return data_of(record) == about.data and record.data_checksum in (None, about.train_checksum)


def data_of(record: Record) -> str:
    """The data set's name; of a folder of images, its own."""
    options: dict[str, Any] = record.setting.data.options
    return str(options.get("folder") or record.setting.data.name)
