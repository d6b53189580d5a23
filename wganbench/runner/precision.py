"""What decides the last bits of a training beside its setting: threads, algorithms, and the precision of products."""

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
    """Sets all of it, in whatever process this is, and puts it back after; for ``precision`` see `products`."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts; without it sums may vary
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    try:
        with products(device, precision):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


@contextmanager
def products(device: torch.device, precision: Precision) -> Iterator[None]:
    """On CUDA products and convolutions of float32 are in TF32 where that is asked for, and in float32 else.

    Torch's own default is TF32 for convolutions, with a mantissa of ten bits, which makes numbers that differ from
    those of a CPU in the third digit. What ``bf16`` rounds is cast before it is multiplied; all else is in float32.
    """
    if device.type != "cuda":
        yield
        return
    matrices, convolutions = torch.get_float32_matmul_precision(), convolutions_are_rounded()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matrices)
        cudnn.allow_tf32 = convolutions


def convolutions_are_rounded() -> bool:
    """Whether cuDNN may take TF32 for convolutions of float32."""
    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:  # raised where it was set for one operator and not for another
        return bool(cudnn.conv.fp32_precision == "tf32")  # type: ignore[attr-defined]  # made at run time
