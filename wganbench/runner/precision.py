"""Sets what decides the last bits of a training beside its setting: threads, algorithms, precision of products."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch.backends import cudnn

Precision = Literal["fp32", "tf32", "bf16"]


@contextmanager
def numerics(
    device: torch.device, threads: int, *, deterministic: bool = False, precision: Precision = "fp32"
) -> Iterator[None]:
    """Sets threads, algorithms and precision in this process, and restores them afterwards; see `products`.

    With deterministic algorithms torch would also fill all new memory with NaN, at the cost of a kernel for each tensor
    that is made, in case something reads it before it is written. Nothing here does.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts; without it, sums may vary
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    is_filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with products(device, precision):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = is_filled  # type: ignore[attr-defined]


@contextmanager
def products(device: torch.device, precision: Precision) -> Iterator[None]:
    """Makes float32 products and convolutions on CUDA use TF32 if ``precision`` is ``"tf32"``, and float32 otherwise.

    torch's default for convolutions is TF32, whose mantissa of ten bits makes results differ from those of a CPU in the
    third digit. With ``bf16``, autocast casts operands before they are multiplied; everything else is float32, also the
    sums of products, which torch would let cuBLAS split and round to bfloat16 in between.
    """
    if device.type != "cuda":
        yield
        return
    matrices, convolutions = torch.get_float32_matmul_precision(), convolutions_are_rounded()
    sums = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matrices)
        cudnn.allow_tf32 = convolutions
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = sums


def convolutions_are_rounded() -> bool:
    """Returns whether cuDNN may use TF32 for float32 convolutions."""
    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:  # raised if it was set for one operator but not for another
        return bool(cudnn.conv.fp32_precision == "tf32")  # type: ignore[attr-defined]  # exists at run time only
