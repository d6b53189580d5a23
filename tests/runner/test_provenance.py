"""A record says what precision torch was in fact allowed; a checkpoint, which code it was made with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
import torch
from torch.backends import cudnn

from wganbench.records.record import Provenance
from wganbench.runner.precision import convolutions_are_rounded, numerics, products
from wganbench.runner.provenance import NOT_TRAINED_WITH, PACKAGE, TRAINED_WITH, provenance, training_code
from wganbench.runner.speed.bench import in_float32

CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")  # its switches are there without one
    products, convolutions = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(products)
    cudnn.allow_tf32 = convolutions


@pytest.mark.parametrize(("allowed", "told"), [("highest", "float32"), ("high", "tf32"), ("medium", "bfloat16")])
def test_the_precision_of_matrix_products_is_told(allowed, told):
    torch.set_float32_matmul_precision(allowed)
    assert provenance(CPU).precision == told


def test_tf32_is_seen_however_it_was_allowed():
    torch.backends.cuda.matmul.allow_tf32 = True
    assert provenance(CPU).precision == "tf32"


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_of_convolutions_is_told_on_a_card_alone(allowed):
    cudnn.allow_tf32 = allowed
    assert provenance(CARD).convolutions == ("tf32" if allowed else "float32")
    assert provenance(CPU).convolutions == "float32"


def test_tf32_of_convolutions_is_seen_where_it_was_set_for_them_alone():
    cudnn.allow_tf32 = False
    try:
        cudnn.conv.fp32_precision = "tf32"
        assert convolutions_are_rounded()
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = "ieee", "tf32"
        assert not convolutions_are_rounded()
    finally:
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "none"


def test_a_record_leaves_out_the_plain_precisions_and_keeps_others():
    made = provenance(CPU)
    assert not {"precision", "convolutions"} & made.model_dump().keys()
    rounded = made.model_copy(update={"convolutions": "tf32", "precision": "bfloat16"})
    assert (rounded.model_dump()["convolutions"], rounded.model_dump()["precision"]) == ("tf32", "bfloat16")
    for one in (made, rounded):
        assert Provenance.model_validate_json(one.model_dump_json()) == one


def test_a_training_on_a_card_is_in_float32_whatever_was_set_before_and_that_is_put_back():
    torch.set_float32_matmul_precision("medium")
    cudnn.allow_tf32 = True
    with numerics(CARD, 1):
        made = provenance(CARD)
        assert (made.precision, made.convolutions) == ("float32", "float32")
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_float32_matmul_precision() == "medium"
    assert cudnn.allow_tf32


@pytest.mark.parametrize(("precision", "told"), [("fp32", "float32"), ("tf32", "tf32"), ("bf16", "bfloat16")])
def test_a_training_on_a_card_has_the_precision_that_is_asked_for_and_its_record_says_so(precision, told):
    cudnn.allow_tf32 = precision != "tf32"
    with numerics(CARD, 1, precision=precision):
        made = provenance(CARD, precision)
        assert (made.precision, made.convolutions) == (told, told)
        assert torch.backends.cuda.matmul.allow_tf32 == cudnn.allow_tf32 == (precision == "tf32")
        with products(CARD, "fp32"):
            assert provenance(CARD).precision == provenance(CARD).convolutions == "float32"
        assert torch.backends.cuda.matmul.allow_tf32 == cudnn.allow_tf32 == (precision == "tf32")
    assert cudnn.allow_tf32 == (precision != "tf32")


def test_a_plain_step_is_in_float32_beside_a_runner_that_is_not():
    seen = []
    with numerics(CARD, 1, precision="tf32"):
        in_float32(lambda: seen.append(provenance(CARD)), CARD)()
        assert provenance(CARD).precision == "tf32"
    assert [(made.precision, made.convolutions) for made in seen] == [("float32", "float32")]


def test_bfloat16_is_told_on_the_cpu_as_well_and_tf32_is_not_there():
    told = {precision: provenance(CPU, precision) for precision in ("tf32", "bf16")}
    assert (told["bf16"].precision, told["bf16"].convolutions) == ("bfloat16", "bfloat16")
    assert (told["tf32"].precision, told["tf32"].convolutions) == ("float32", "float32")


def test_on_the_cpu_the_precision_stays_as_it_is():
    torch.set_float32_matmul_precision("medium")
    with numerics(CPU, 1):
        assert provenance(CPU).precision == "bfloat16"


@pytest.mark.parametrize("deterministic", [True, False])
def test_threads_and_algorithms_are_set_and_put_back_after_an_error_too(deterministic):
    seen = []

    def fail():
        with numerics(CPU, 2, deterministic=deterministic):
            seen.append(provenance(CPU))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [(made.threads, made.deterministic) for made in seen] == [(2, deterministic)]
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (1, False)
    assert torch.utils.deterministic.fill_uninitialized_memory, "torch's default"


# ---- the code -----------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(PACKAGE, tmp_path / "package", ignore=ignored)


def code_of(package):
    return training_code.__wrapped__(package)


def test_the_training_code_is_the_same_wherever_it_lies(package):
    assert code_of(package) == training_code() == code_of(PACKAGE)
    assert re.fullmatch("[0-9a-f]{16}", training_code())


@pytest.mark.parametrize("change", ["analysis/report.py", "cli/run.py", "api.py", "__main__.py", "losses/.new.py.swp"])
def test_what_no_training_uses_leaves_the_training_code_as_it_is(package, change):
    with (package / change).open("a") as file:
        file.write("\n")
    (package / "rng.py").touch()
    (package / ".#rng.py").symlink_to("user@host.1:2")  # as an editor marks a file that is being changed
    assert code_of(package) == training_code()


@pytest.mark.parametrize("change", ["training/stack.py", "spec/setting.py", "rng.py", "data/texts/sonnets.txt", "a.py"])
def test_any_other_change_is_other_training_code(package, change):
    with (package / change).open("a") as file:
        file.write("\n")
    assert code_of(package) != training_code()


def test_a_file_renamed_or_removed_or_two_that_changed_places_are_other_training_code(package):
    found, one, other = {training_code()}, package / "rng.py", package / "files.py"
    rng, files = one.read_bytes(), other.read_bytes()
    one.write_bytes(files), other.write_bytes(rng)
    found.add(code_of(package))
    one.rename(package / "random.py")
    found.add(code_of(package))
    other.unlink()
    found.add(code_of(package))
    assert len(found) == 4


def test_every_file_that_is_left_out_of_the_training_code_is_one_that_is_only_read_by_people():
    left_out = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (*TRAINED_WITH, ".pyc")
    }
    assert left_out <= set(NOT_TRAINED_WITH)
    assert all((PACKAGE / part).exists() for part in NOT_TRAINED_WITH)
