"""What a record says of the precision is what torch was in fact allowed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from wganbench.runner.provenance import provenance


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(("allowed", "told"), [("highest", "float32"), ("high", "tf32"), ("medium", "bfloat16")])
def test_the_precision_of_matrix_products_is_told(allowed, told):
    torch.set_float32_matmul_precision(allowed)
    assert provenance(torch.device("cpu")).precision == told


def test_tf32_is_seen_however_it_was_allowed():
    torch.backends.cuda.matmul.allow_tf32 = True
    assert provenance(torch.device("cpu")).precision == "tf32"
