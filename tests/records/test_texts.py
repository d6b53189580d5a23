"""The texts of a record: one line each, so that a report can show them, and those of older records as they were."""

from __future__ import annotations

import pytest

from tests.analysis.factory import GOOD, made, record
from wganbench.errors import RecordError, SpecError
from wganbench.records.merge import merge_stores
from wganbench.records.record import Record, read_text, write_text
from wganbench.records.store import Store
from wganbench.spec.overrides import parse_override

BROKEN = ["two\nlines", "two\rlines", "two\u2028lines", "two\x85lines", "\x1b[31mred", "\x9b2J"]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Record:
    return record(made(tmp_path_factory.mktemp("made")), "good", 0, {label: row[0] for label, row in GOOD.items()})


def with_text(good: Record, place: str, text: str) -> Record:
    provenance = {
        "device": {"device": text},
        "version": {"libraries": {"torch": text}},
        "library": {"libraries": {text: "1"}},
        "commit": {"commit": text},
    }
    if place in provenance:
        return good.model_copy(update={"provenance": good.provenance.model_copy(update=provenance[place])})
    changes = {"override": {"overrides": [text]}, "note": {"note": text}, "measure": {"measures": {text: 1.0}}}
    return good.model_copy(update=changes[place])


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("place", ["device", "version", "library", "commit", "override", "note", "measure"])
def test_a_record_with_line_breaks_or_control_characters_is_refused(good, tmp_path, place, text):
    theirs, ours = Store(tmp_path / "theirs"), Store(tmp_path / "ours")
    theirs.path(good).parent.mkdir(parents=True)
    theirs.path(good).write_text(write_text(with_text(good, place, text)))
    taken, _, refusals = merge_stores(ours, theirs)
    assert (taken, len(refusals), ours.paths()) == (0, 1, [])
    assert "must be one line" in refusals[0] or "must have no control characters" in refusals[0]
    assert "\n" not in refusals[0] and "\x1b" not in refusals[0]


def test_texts_of_older_records_stay_readable(good):
    failed = good.model_copy(update={"status": "failed", "note": "Traceback:\n  File\n\tValueError: no"})
    for each in (
        failed,
        with_text(good, "device", "NVIDIA H200 <b> | [x](y) # µ"),
        with_text(good, "note", "alone: ok"),
    ):
        assert read_text(write_text(each), "a.json") == each


def test_what_custom_code_says_is_written_without_its_codes(tmp_path):
    spec = made(tmp_path)
    failed = record(spec, "good", 0, {}, status="failed", note="one\n\x1b[31mtwo", steps_done=0)
    assert failed.note == "one\n?[31mtwo"
    assert read_text(write_text(failed), "a.json") == failed
    assert record(spec, "good", 1, {}, note="one\ntwo").note == "one two"


def test_an_override_of_two_lines_is_refused():
    with pytest.raises(SpecError, match=r"^--set 'question=a\\nb': must be one line"):
        parse_override("question=a\nb")
    with pytest.raises(RecordError):
        read_text("{}", "a.json")
