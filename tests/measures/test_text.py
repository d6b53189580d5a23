"""Divergences of n-grams against small texts counted by hand, and the lines that are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from wganbench.data.text import Text
from wganbench.measures.text import ngram_floor, ngram_js, text_lines

ALPHABET = "abcd"


def codes(line: str) -> torch.Tensor:
    return torch.tensor([ALPHABET.index(symbol) for symbol in line])


def text(train: str, held_out: str) -> Text:
    return Text(ALPHABET, codes(train).short(), codes(held_out).short(), length=4, symbols=6, checksum="0" * 64)


def samples(*lines: str) -> torch.Tensor:
    """As a generator makes them: the most probable symbol at each place is the line's."""
    return torch.stack([0.1 + 0.3 * one_hot(codes(line), 6).T for line in lines])


def js(p: list[float], q: list[float]) -> float:
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return sum(a * math.log(a / m) / 2 for each in (p, q) for a, m in zip(each, middle, strict=True) if a)


def test_single_symbols_are_compared_by_their_shares():
    found = ngram_js(samples("aaab", "aabb"), text("dddd", "abbbc"), n=1)
    assert found == pytest.approx(js([5 / 8, 3 / 8, 0], [1 / 5, 3 / 5, 1 / 5]))


def test_pairs_are_those_inside_a_sample_and_know_their_order():
    fake = samples("aaaa", "bbbb")  # aa and bb three times each; ab would go over the edge
    assert ngram_js(fake, text("dddd", "aabb"), n=2) == pytest.approx(js([1 / 2, 0, 1 / 2], [1 / 3, 1 / 3, 1 / 3]))
    assert ngram_js(samples("abab"), text("dddd", "baba"), n=2) == pytest.approx(js([2 / 3, 1 / 3], [1 / 3, 2 / 3]))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_same_sequences_diverge_by_0_and_other_ones_by_log_2(n):
    assert ngram_js(samples("abca", "abca"), text("dddd", "abca"), n=n) == 0
    assert ngram_js(samples("aaaa"), text("aaaa", "bbbb"), n=n) == pytest.approx(math.log(2))


def test_samples_are_compared_with_what_was_held_out():
    assert ngram_js(samples("aaaa"), text("aaaa", "bbbb"), n=1) == pytest.approx(math.log(2))
    assert ngram_js(samples("bbbb"), text("aaaa", "bbbb"), n=1) == 0


def test_the_floor_is_between_as_many_real_characters_and_the_held_out_ones():
    assert ngram_floor(text("aabbdddd", "abbb"), n=1) == pytest.approx(js([1 / 2, 1 / 2], [1 / 4, 3 / 4]))


def test_samples_that_are_not_finite_have_no_divergence():
    fake = samples("aaaa")
    fake[0, 0, 0] = math.inf
    assert math.isnan(ngram_js(fake, text("aaaa", "bbbb")))


def test_lines_are_kept_as_code_points():
    fake = samples("abcd", "dcba", "aaaa")
    fake[1] = math.nan
    kept = text_lines(fake, samples("bbbb", "cccc", "dddd"), text("aaaa", "bbbb"), lines=2)
    assert kept.shape == (2, 2, 4)
    assert ["".join(map(chr, map(int, line))) for line in (kept[0, 0], *kept[1])] == ["abcd", "bbbb", "cccc"]
    assert np.isnan(kept[0, 1]).all()


def test_a_symbol_that_no_character_has_is_kept_as_unknown():
    fake = torch.zeros(1, 6, 4)
    fake[:, 5] = 1
    assert set(text_lines(fake, fake, text("aaaa", "bbbb"))[0, 0]) == {0xFFFD}
