import hashlib
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from wganbench.errors import DataError
from wganbench.measures.scores.classifier import Network, content_of, folded_state, read_file


def put(folder, content, data="stripes-8"):
    """A file that is named by its content, as one is that was made wrong rather than damaged."""
    path = folder / f"{data}-{hashlib.sha256(content).hexdigest()[:8]}.safetensors"
    path.write_bytes(content)
    return path


def parts(file):
    about, state = read_file(file)
    said = {key: value if isinstance(value, str) else repr(value) for key, value in vars(about).items()}
    return {"format": "1", **said}, state


def test_a_file_gives_back_what_was_put_in(trained, file):
    classifier, _ = trained
    about, state = read_file(file)
    assert about == classifier.about
    assert {name: tensor.dtype for name, tensor in state.items()} == dict.fromkeys(state, torch.float16)
    assert content_of(about, state) == (file.stem, file.read_bytes())


def test_what_is_said_is_part_of_the_name(trained, file):
    about, state = read_file(file)
    assert content_of(replace(about, seed=1), state)[0] != file.stem
    assert file.stem.startswith("stripes-8-") and len(file.stem) == len("stripes-8-") + 8


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "not a whole safetensors file"),
        (lambda content: content[:5], "not a whole safetensors file"),
        (lambda content: b"", "not a whole safetensors file"),
        (lambda content: pickle.dumps({"last.weight": [1.0]}), "not a whole safetensors file"),
        (lambda content: b"\xff" * 200, "not a whole safetensors file"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "its SHA-256 begins with .*, its name says another"),
    ],
)
def test_a_damaged_file_is_reported_in_one_line(file, damage, message):
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said, state: said.pop("seed"), "its metadata is wrong .'seed'."),
        (lambda said, state: said.update(width="wide"), "its metadata is wrong"),
        (lambda said, state: said.update(size="0"), "size at least 8"),
        (lambda said, state: said.update(format="2"), "its format is '2'; this version reads '1'"),
        (lambda said, state: said.update(width="17"), r"tensor '.*' is \(.*\) torch.float16; must be \(.*\)"),
        (lambda said, state: state.pop("last.bias"), "tensor 'last.bias' is too many or missing"),
        (lambda said, state: state.update(more=torch.zeros(1).half()), "tensor 'more' is too many or missing"),
        (lambda said, state: state.update({"last.bias": torch.zeros(3)}), r"'last.bias' is \(3,\) torch.float32; must"),
        (lambda said, state: state["last.bias"].fill_(torch.nan), "tensor 'last.bias' is not finite"),
    ],
)
def test_a_file_of_something_else_is_reported_in_one_line(file, tmp_path, change, message):
    said, state = parts(file)
    change(said, state)
    with pytest.raises(DataError, match=message):
        read_file(put(tmp_path, save(state, said)))


def test_a_file_without_words_or_under_another_name_is_refused(file, tmp_path):
    _, state = parts(file)
    with pytest.raises(DataError, match="its format is None"):
        read_file(put(tmp_path, save(state)))
    with pytest.raises(DataError, match=r"weights.pth: a classifier's file is named DATA-SIZE-HASH.safetensors"):
        read_file(tmp_path / "weights.pth")
    with pytest.raises(DataError, match="cannot be read"):
        read_file(tmp_path / "stripes-8-00000000.safetensors")


def test_a_file_of_more_than_two_megabytes_is_not_made(trained):
    classifier, _ = trained
    with pytest.raises(DataError, match="bytes; a file has at most 2,000,000: take a smaller width"):
        content_of(replace(classifier.about, width=60), folded_state(Network(3, 3, 60)))
