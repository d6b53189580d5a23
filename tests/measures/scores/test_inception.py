"""Around the network: its weights are not here, so it stands with random ones of the right shapes."""

import io
import json
import math
import pickle
import zipfile
from importlib import metadata

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from wganbench.errors import DataError
from wganbench.measures.scores.inception import LIBRARIES, REAL_SAMPLES, Inception, _read, inception, self_test
from wganbench.measures.scores.network_outputs import NetworkOutputs, Outputs, images_in_batches
from wganbench.measures.scores.protocol import PUBLISHED


@pytest.fixture(scope="module")
def state():
    """Random weights of the right shapes, whose last layer's bias alone would decide every class."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["logits"], feature_extractor_weights_path=empty)
    network.fc.bias.copy_(1e4 * torch.eye(1008)[7])
    return network.state_dict()


@pytest.fixture(scope="module")
def small(state):
    """Weights that are all zero, which take no room in a file."""
    return {name: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for name, tensor in state.items()}


@pytest.fixture
def weights(small, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(small, path)
    return path


def pixels(n, size=32, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), generator=rng, dtype=torch.uint8)


def test_logits_are_those_without_the_last_bias(state, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    outputs = inception(path)(pixels(2))
    assert outputs.logits.shape == (2, 1008) and outputs.features.shape == (2, 2048)
    assert torch.allclose(outputs.logits, outputs.features @ state["fc.weight"].T, atol=1e-5)
    assert outputs.logits.abs().max() < 1e3


def test_scores_count_as_published_only_after_the_self_test(weights):
    network = inception(weights)
    assert network.protocol.startswith("inception@") and network.protocol.endswith("-uncalibrated")


@pytest.mark.parametrize("images", [pixels(2)[:, :1], pixels(2).float(), pixels(2)[0]])
def test_images_of_another_kind_are_refused(images):
    with pytest.raises(DataError, match=r"^inception: images must be \(n, 3, height, width\) torch.uint8, got "):
        Inception(None, "00000000")(images)


# ---- weights --------------------------------------------------------------------------------------------------------


class Opens:
    """What a pickle may hold that is no weights: it would write a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_no_code_in_a_file_of_weights_is_run(tmp_path):
    path, written = tmp_path / "weights.pth", tmp_path / "written"
    for save in (torch.save, lambda value, where: where.write_bytes(pickle.dumps(value))):
        save({"fc.bias": Opens(written)}, path)
        with pytest.raises(DataError, match=r"weights.pth: not a file of weights alone \(.*\); give the file with "):
            inception(path)
    assert not written.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a file of weights alone"),
        (b"no weights", "not a file of weights alone"),
        (pickle.dumps([1, 2]), "not tensors by name|not a file of weights alone"),
    ],
)
def test_a_file_of_something_else_is_reported_in_one_line(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        inception(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_reported_in_one_line(weights):
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"weights.pth: not a file of weights alone"):
        inception(weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("fc.bias"), 'Missing key.*"fc.bias"'),
        (lambda state: state.update(more=torch.zeros(1)), 'Unexpected key.*"more"'),
        (lambda state: state.update({"fc.bias": torch.zeros(1000)}), r"size mismatch for fc.bias.*1000.*1008"),
        (lambda state: state.update(epoch=3), "not tensors by name"),
    ],
)
def test_weights_of_another_network_are_reported_in_one_line(small, tmp_path, change, message):
    changed, path = dict(small), tmp_path / "weights.pth"
    change(changed)
    torch.save(changed, path)
    with pytest.raises(DataError, match=message) as caught:
        inception(path)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(DataError, match=r"weights.pth: cannot be read .*; give the file with --inception-weights FILE"):
        inception(tmp_path / "weights.pth")


@pytest.mark.parametrize("error", [OSError("unreachable"), RuntimeError("invalid hash value")])
def test_a_download_that_fails_is_reported_in_one_line(tmp_path, monkeypatch, error):
    def fail(url, path, hash_prefix, progress):
        assert url.endswith("weights-inception-2015-12-05-6726825d.pth") and hash_prefix == "6726825d"
        raise error

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(DataError, match=rf"weights cannot be downloaded \({error}\); give the file with"):
        inception(None)


def test_a_download_is_kept_where_torch_keeps_its_own(small, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, path, **options: torch.save(small, path))
    assert inception(None).hash == inception(None).hash
    assert (tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth").exists()


# ---- self-test ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Of this test alone, where what real images scored is kept."""
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


class Sure(Inception):
    """Gives images in turn to classes, as many as it is asked for, every 200th to one more class."""

    def __init__(self, classes, weights_hash="12345678"):
        super().__init__(None, weights_hash)
        self.classes, self.turn = classes, 0

    def to(self, device):
        self.device = torch.device(device)
        return self

    def __call__(self, images):
        positions = self.turn + torch.arange(len(images))
        self.turn += len(images)
        classes = torch.where(positions % 200 == 7, self.classes, positions % self.classes)
        return Outputs(50 * torch.eye(20)[classes], torch.zeros(len(images), 2))


REAL = torch.zeros(REAL_SAMPLES, 3, 1, 1, dtype=torch.uint8)
SCORE = math.exp(-0.005 * math.log(0.005) - 0.995 * math.log(0.995 / 11))
"""Of eleven classes and a little of a twelfth: 11.22, near enough to 11.24."""


def put_to_the_test(network, n=REAL_SAMPLES):
    return self_test(network, NetworkOutputs(network, images_in_batches(REAL[:n])))


def test_the_score_of_real_data_opens_the_published_protocol_for_these_weights_on_this_kind_of_device():
    network = Sure(11)
    assert network.protocol == "inception@12345678-uncalibrated"
    assert put_to_the_test(network) == (pytest.approx(SCORE, abs=1e-3), pytest.approx(0, abs=1e-3))
    assert network.protocol == Sure(10).protocol == PUBLISHED == "inception@tf2015-10split-50k"
    assert Sure(11, "00000000").protocol == "inception@00000000-uncalibrated"
    network.device = torch.device("cuda")
    assert network.protocol == "inception@12345678-uncalibrated"


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_versions_have_to_pass_it_again(monkeypatch, library):
    network, version = Sure(11), metadata.version
    put_to_the_test(network)
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1" if name == library else version(name))
    assert network.protocol.endswith("-uncalibrated")


@pytest.mark.parametrize("classes", [10, 12])
def test_another_score_of_real_data_closes_it(classes):
    put_to_the_test(Sure(11))
    network = Sure(classes)
    with pytest.raises(
        DataError, match=rf"real images score {classes}.\d\d ± 0.\d\d, must be 11.24 ± 0.12: "
    ) as caught:
        put_to_the_test(network)
    assert network.protocol == "inception@12345678-uncalibrated"
    assert str(caught.value).endswith(
        "scores have the protocol inception@12345678-uncalibrated and are not comparable with published ones"
    )


def test_what_is_kept_is_the_score_and_a_damaged_file_counts_as_none(data_folder):
    put_to_the_test(Sure(11))
    (path,) = (data_folder / "inception").iterdir()
    content = json.loads(path.read_text())
    assert (content["score"], content["samples"]) == (pytest.approx(SCORE, abs=1e-3), 50_000)
    for text in ("", "[]", "{}", "[" * 10_000, path.read_text()[:-5], json.dumps({**content, "score": None})):
        path.write_text(text)
        assert Sure(11).protocol.endswith("-uncalibrated")
    for changed in ({"score": 11.1}, {"samples": 5_000}, {"score": float("nan")}):
        path.write_text(json.dumps({**content, **changed}))
        assert Sure(11).protocol.endswith("-uncalibrated")


def test_a_data_folder_that_cannot_be_written_is_reported_in_one_line(data_folder):
    data_folder.write_text("a file")
    with pytest.raises(DataError, match=r"json: cannot be written \(.*\); make room there, or name another folder"):
        put_to_the_test(Sure(11))


def test_a_self_test_is_of_the_network_itself_and_of_all_images():
    network = Sure(11)
    with pytest.raises(DataError, match="must be those of the network under test"):
        self_test(network, NetworkOutputs(Sure(11), images_in_batches(REAL)))
    with pytest.raises(DataError, match="50,000 images requested, must be from 1 to the 10,000 there are"):
        put_to_the_test(network, 10_000)


def test_weights_that_would_have_to_be_unpacked_are_refused(tmp_path):
    path, saved = tmp_path / "weights.pth", io.BytesIO()
    torch.save({"fc.bias": torch.zeros(2**20)}, saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    assert path.stat().st_size < 10_000
    with pytest.raises(
        DataError, match=r"weights.pth: not a file of weights alone \(packed, which torch does not do\)"
    ):
        _read(path)


def test_weights_of_an_old_version_of_torch_are_read(tmp_path):
    torch.save({"fc.bias": torch.ones(2)}, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert _read(tmp_path / "weights.pth")[1]["fc.bias"].tolist() == [1, 1]
