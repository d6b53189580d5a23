"""The short way to a record finds just what the long way does: by parsing all of it and writing its content anew."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest

from tests.analysis import factory
from tests.analysis.factory import GOOD, made
from wganbench.errors import RecordError
from wganbench.records import record, written
from wganbench.records.record import Curve, Record, read_text, write_text

COMMITTED = sorted((Path(__file__).resolve().parents[2] / "results").glob("*/*-s*.json"))


def long_way(text: str) -> Record:
    return record._record_in(record._json_in(text, "here"), "here")


def outcome(read, *arguments: str) -> Record | tuple[type, str]:
    try:
        return read(*arguments)
    except RecordError as error:
        return type(error), str(error)


def signed(text: str) -> str:
    """``text`` with the checksum that is right for its content."""
    content = json.loads(text)
    return text.replace(content.pop("checksum"), written.checksum_of(content))


@pytest.fixture
def one(tmp_path) -> Record:
    (found,) = factory.records(made(tmp_path), "good", GOOD, n=1)
    return found


@pytest.mark.parametrize("path", COMMITTED[:: max(1, len(COMMITTED) // 40)], ids=lambda path: path.stem)
def test_committed_records_are_the_same_both_ways(path):
    text = path.read_text(encoding="utf-8")
    short = record._as_written(text)
    assert short == long_way(text)
    assert list(short.curves) == list(long_way(text).curves)
    assert {type(value) for curve in short.curves.values() for value in curve.values} <= {float, type(None)}
    assert write_text(short) == text


def test_any_changed_letter_is_found_as_the_long_way_finds_it(one):
    text, rng, found = write_text(one), random.Random(0), 0
    assert record._as_written(text) == one
    for _ in range(400):
        place, letter = rng.randrange(len(text)), rng.choice('0123456789 ,:"{}[]\\\n-.eaz')
        start = rng.choice([place, place + 1])  # put in or in the place of another
        spoilt = rng.choice([text[:place] + letter + text[start:], text[:place] + text[place + 1 :]])
        told = outcome(read_text, spoilt, "here")
        assert told == outcome(long_way, spoilt)
        assert told == one or isinstance(told, tuple)
        found += isinstance(told, tuple)
    assert found > 300  # the others are spaces between tokens, or nothing at all


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  "curves": {\n', '  "curves": {\n    "more": {"steps": [1], "values": [2.0]},\n'),
        ('  "cohort"', '  "curves": {},\n  "cohort"'),
        ('  "cohort"', '  "setting": {},\n  "cohort"'),
        ('  "cohort"', '  "zzz": 1,\n  "cohort"'),
        ('  "cohort"', '  "": 1,\n  "cohort"'),
        ('{"steps": [', '{"steps": [], "steps": ['),
        ('{"steps": [', '{" steps": ['),
        ('{"steps": [0, ', '{"steps": [0  , '),
        ('{"steps": [0, ', '{"steps": [00, '),
        ('{"steps": [0, ', '{"steps": [0.0, '),
        ('"values": [0.0', '"values": [0.00'),
        ('"values": [0.0', '"values": [0 .0'),
        ('"values": [0.0', '"values": [1e999'),
        ('"values": [0.0', '"values": [NaN'),
        ('"values": [0.0', '"values": [-0.0'),
        ('"values": [0.0', '"values": [true'),
        ('"schema_number": 1', '"schema_number": true'),
        ('"schema_number": 1', '"schema_number": 2'),
        ('"checksum": "', '"checksum": 1, "other": "'),
    ],
)
@pytest.mark.parametrize("sign", [False, True], ids=["old checksum", "its own checksum"])
def test_odd_texts_end_as_by_the_long_way(one, old, new, sign):
    text = write_text(one)
    spoilt = text.replace(old, new, 1)
    assert spoilt != text
    if sign and "checksum" not in new:
        with contextlib.suppress(ValueError):  # of what is no JSON at all
            spoilt = signed(spoilt)
    assert outcome(read_text, spoilt, "here") == outcome(long_way, spoilt)


def test_a_space_in_a_curve_s_name_is_a_change(one):
    text = write_text(one)
    spoilt = text.replace('    "exact_wasserstein": {"steps"', '    "exact _wasserstein": {"steps"')
    assert spoilt != text
    with pytest.raises(RecordError, match="does not match its checksum"):
        read_text(spoilt, "here")


@pytest.mark.parametrize("names", [["a b", "a"], ["ab!", "ab"], ["é", 'q"', "back\\slash"], ["a, b", "a: b"], []])
def test_curves_of_any_name_are_read(one, names):
    curves = {name: Curve(steps=[0, 5], values=[None, 1e-7]) for name in names}
    several = one.model_copy(update={"curves": curves})
    assert read_text(write_text(several), "here") == several


def test_numbers_of_curves_are_read_to_the_last_bit(one):
    rng = random.Random(1)
    values = [rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-90, 90) for _ in range(1000)]
    text = write_text(one.model_copy(update={"curves": {"a": Curve(steps=list(range(1000)), values=values)}}))
    assert record._as_written(text).curves["a"].values == values


def test_too_large_values_of_a_curve_become_none_and_the_others_stay(one):
    assert Curve(steps=[0, 1, 2, 3], values=[1e101, None, -1e101, -1e100]).values == [None, None, None, -1e100]
