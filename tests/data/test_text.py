"""Texts: what is drawn of them, what is held out, and what will not do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.data.contract import check_toy_data_set
from wganbench.data.text import OTHER, SONNETS, Text, text
from wganbench.errors import DataError
from wganbench.records.store import Store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path))
    return tmp_path


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lines_of(data: Text, samples: torch.Tensor) -> list[str]:
    return ["".join(data.alphabet[code] for code in row) for row in data.codes_of(samples)]


def test_white_space_is_joined_and_the_second_half_held_out(folder):
    (folder / "a.txt").write_bytes("\ufeff  ab\t\ncd \r\n\n äba ".encode())
    data = text(file="a.txt", length=4)  # "ab cd äba"
    assert data.alphabet == " abcdä"
    assert data.train.tolist() == [1, 2, 0, 3, 4]
    assert data.held_out.tolist() == [0, 5, 2, 1]
    assert data.checksum == hashlib.sha256("ab cd äba".encode()).hexdigest()


def test_samples_are_all_passages_of_the_first_half_as_one_hot_vectors(folder):
    (folder / "a.txt").write_text("abcdefgh" + "xyzxyzxy")
    data = text(file="a.txt", length=6, symbols=20)
    samples = data.draw(200, rng())
    assert samples.shape == (200, *data.sample_shape) == (200, 20, 6)
    assert samples.dtype == torch.float32
    assert set(samples.unique().tolist()) == {0.0, 1.0} and (samples.sum(1) == 1).all()
    assert set(lines_of(data, samples)) == {"abcdef", "bcdefg", "cdefgh"}
    assert torch.equal(samples, data.draw(200, rng()))
    assert check_toy_data_set(data) == []


def test_the_rarest_characters_share_a_symbol_if_there_are_too_many(folder):
    (folder / "a.txt").write_text("ccccbbbaaxyz" * 2)
    data = text(file="a.txt", length=5, symbols=4)
    assert data.alphabet == "abc" + OTHER
    assert "".join(data.alphabet[code] for code in data.held_out) == "ccccbbbaa" + 3 * OTHER


def test_at_most_a_million_characters_are_held_out(folder, monkeypatch):
    monkeypatch.setattr("wganbench.data.text.MAX_HELD_OUT", 3)
    (folder / "a.txt").write_text("abcdefghijklmnop")
    assert len(text(file="a.txt", length=5).held_out) == 3


def test_the_sonnets_of_the_package_are_all_there_and_whole(folder):
    sonnets = SONNETS.read_text(encoding="utf-8").split("\n\n")
    assert len(sonnets) == 154
    odd = {number: len(each.strip().split("\n")) for number, each in enumerate(sonnets, 1)}
    assert {number: n for number, n in odd.items() if n != 14} == {99: 15, 126: 12}
    assert sonnets[17].startswith("Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:")
    data = text()
    assert (data.sample_shape, len(data.alphabet)) == ((64, 32), 58)
    assert len(data.train) == 46_788 and len(data.held_out) == 46_787


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("naïve".encode("latin-1") * 9, "is not UTF-8 (byte 0xef at 2); convert it, as iconv does"),
        ("plain".encode("utf-16-le") * 9, "is no text in UTF-8 (a zero byte at 1); convert it, as iconv does"),
        (b"", "no characters but white space; must be at least 16, two samples of length 8"),
        (b" \n\t ", "no characters but white space; must be at least 16, two samples of length 8"),
        (b"fifteen letters", "15 characters; must be at least 16, two samples of length 8"),
        (None, "cannot be read (No such file or directory); put a text there, or name another data folder with "),
    ],
)
def test_what_is_no_text_is_one_line(folder, content, said):
    if content is not None:
        (folder / "a.txt").write_bytes(content)
    with pytest.raises(DataError) as error:
        text(file="a.txt", length=8)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{folder}/a.txt: {said}")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ('file = "short.txt"', "short.txt: 9 characters; must be at least 32, two samples of length 16"),
        ('file = "../short.txt"', "data: file: must be the name of a file in the data folder"),
        ("length = 4", "data: length: "),
    ],
)
def test_on_the_command_line_too_and_nothing_is_recorded(folder, monkeypatch, option, said):
    monkeypatch.chdir(folder)
    Path("short.txt").write_text("too short")
    given = ["run", "language", "--profile", "smoke", "--seeds", "1", "--set", f"data.{option}"]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert said in line
    assert Store("runs").load() == {}
