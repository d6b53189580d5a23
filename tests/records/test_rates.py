"""Rates between measured points, and the file that keeps them."""

from __future__ import annotations

import itertools

import pytest

from wganbench.errors import DataError
from wganbench.records import rates
from wganbench.records.rates import Measured, Point


def measured(points, kind="mlp", **about):
    fields = {"device": "cpu", "name": "a CPU", "torch": "2.0", "threads": 1, "when": "2000-01-01T00:00:00"}
    return Measured(**{**fields, **about}, points=[Point(kind=kind, flops=f, rate=r) for f, r in points])


SLOW_TO_FAST = [(1e6, 1e8), (1e8, 4e9), (1e12, 2e10)]


def test_the_rate_at_a_measured_point_is_the_measured_one():
    found = measured(SLOW_TO_FAST)
    assert [found.rate("mlp", flops) for flops, _ in SLOW_TO_FAST] == pytest.approx([rate for _, rate in SLOW_TO_FAST])


def test_between_two_points_the_logarithms_lie_on_a_line():
    found = measured([(1e6, 1e8), (1e10, 1e10)])
    assert found.rate("mlp", 1e8) == pytest.approx(1e9)
    assert found.rate("mlp", 1e7) == pytest.approx(10**8.5)


def test_rates_that_grow_with_the_size_grow_between_the_points_and_so_does_the_time():
    found, sizes = measured(SLOW_TO_FAST), [10 ** (5 + i / 10) for i in range(90)]
    taken = [found.rate("mlp", size) for size in sizes]
    assert all(a <= b for a, b in itertools.pairwise(taken))
    seconds = [size / rate for size, rate in zip(sizes, taken, strict=True)]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(seconds))


def test_smaller_steps_take_as_long_as_the_smallest_and_larger_ones_are_as_fast_as_the_largest():
    found = measured(SLOW_TO_FAST)
    assert 1e3 / found.rate("mlp", 1e3) == pytest.approx(1e6 / 1e8)
    assert found.rate("mlp", 1e15) == 2e10


def test_a_kind_of_network_has_its_own_rates():
    assert measured(SLOW_TO_FAST).rate("dcgan_critic", 1e8) is None


def test_what_is_kept_is_read_again_and_a_new_measurement_takes_the_old_ones_place(tmp_path):
    path = tmp_path / "data" / "rates.json"
    assert rates.read(path) == []
    rates.keep(path, measured([(1e6, 1e8), (1e8, 4e9)]))
    rates.keep(path, measured([(1e8, 5e9), (1e9, 6e9)], when="2001-01-01T00:00:00"))
    rates.keep(path, measured([(1e8, 7e9)], threads=2))
    one, two = rates.read(path)
    assert [(point.flops, point.rate) for point in one.points] == [(1e6, 1e8), (1e8, 5e9), (1e9, 6e9)]
    assert (one.when[:4], two.threads, two.points[0].rate) == ("2001", 2, 7e9)


def test_points_of_other_networks_stay(tmp_path):
    path = tmp_path / "rates.json"
    rates.keep(path, measured([(1e6, 1e8)]))
    rates.keep(path, measured([(1e6, 2e8)], kind="dcgan_critic"))
    (one,) = rates.read(path)
    assert (one.rate("mlp", 1e6), one.rate("dcgan_critic", 1e6)) == (1e8, 2e8)


WHOLE = measured([(1e6, 1e8)]).model_dump_json()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not whole JSON"),
        ("{", "not whole JSON"),
        ("[" * 100_000, "not whole JSON"),
        ("[]", "rates.json: "),
        ('{"version": 2, "measured": []}', "version"),
        ('{"version": 1}', "measured"),
        (f'{{"version": 1, "measured": [{WHOLE.replace("100000000.0", "0.0")}]}}', "rate"),
        (f'{{"version": 1, "measured": [{WHOLE.replace("100000000.0", "NaN")}]}}', "rate"),
        (f'{{"version": 1, "measured": [{WHOLE.replace("100000000.0", "true")}]}}', "rate"),
        (f'{{"version": 1, "measured": [{WHOLE.replace("1000000.0", "1e-300")}]}}', "flops"),
        ('{"version": 1, "measured": [{"device": "tpu"}]}', "device"),
    ],
)
def test_a_damaged_file_is_told_of_in_one_line(tmp_path, text, says):
    path = tmp_path / "rates.json"
    path.write_text(text)
    for use in (rates.read, lambda path: rates.keep(path, measured([(1.0, 1.0)]))):
        with pytest.raises(DataError, match=r"rates\.json: .*; delete it, 'wganbench plan EXP --calibrate'") as caught:
            use(path)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_text() == text


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\x00"])
def test_a_file_that_is_no_text_is_told_of(tmp_path, text):
    (tmp_path / "rates.json").write_bytes(text)
    with pytest.raises(DataError, match="not whole JSON"):
        rates.read(tmp_path / "rates.json")


def test_a_folder_in_its_place_is_told_of(tmp_path):
    (tmp_path / "rates.json").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        rates.read(tmp_path / "rates.json")


# ---- which of them --------------------------------------------------------------------------------------------------

CARD = measured([(1.0, 1.0)], device="cuda", name="a card")
OLD, NEW = measured([(1.0, 1.0)]), measured([(1.0, 1.0)], name="another", when="2001-01-01T00:00:00")
TWO = measured([(1.0, 1.0)], threads=2)


@pytest.mark.parametrize(
    ("device", "threads", "among", "chosen"),
    [
        ("auto", 1, [OLD, CARD], CARD),
        ("cpu", 1, [OLD, CARD], OLD),
        ("auto", 1, [OLD, TWO], OLD),
        ("auto", 2, [OLD, TWO, CARD], TWO),
        ("cuda", 1, [OLD, TWO], None),
        ("auto", 1, [], None),
        ("cpu", 1, [OLD, NEW], NEW),
        ("cpu", 1, [NEW, OLD], NEW),
    ],
)
def test_the_device_and_the_threads_decide_then_the_newest(device, threads, among, chosen):
    assert rates.choose(among, device, threads) == chosen


def test_this_processor_and_this_torch_come_first(monkeypatch):
    monkeypatch.setattr(rates, "processor_name", lambda: "a CPU")
    assert rates.choose([OLD, NEW], "cpu", 1) == OLD
    monkeypatch.setattr(rates, "torch_version", lambda: "3.0")
    newer = measured([(1.0, 1.0)], torch="3.0", when="1999-01-01T00:00:00")
    assert rates.choose([OLD, newer, NEW], "cpu", 1) == newer
