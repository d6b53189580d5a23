"""The options of a command for executing runs; none of them is part of a run's setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ExecutorName = Literal["inline", "local", "ray", "slurm"]


@dataclass(frozen=True)
class Execution:
    """Options for executing runs; none changes what is computed, beyond the last bits.

    Attributes:
        device: The device; ``auto`` is CUDA if available, else the CPU.
        stack: The number of seeds in a cohort.
        executor: The place of training: ``inline`` trains in this process, ``local`` in processes of this machine,
            ``ray`` on a Ray cluster, ``slurm`` as a job array.
        jobs: The number of cohorts at a time; None for as many as the machine's cores or GPUs allow. Ignored by
            ``inline``.
        threads: The number of CPU threads per cohort; None for torch's default. The number changes the last bits.
        per_gpu: The number of cohorts that share a GPU.
        address: The address of a Ray cluster; None starts one on this machine.
        slurm: Options for ``sbatch``, by submitit's names, such as ``slurm_partition``.
        deterministic: Whether to restrict torch to deterministic algorithms.
        capture: Whether to replay steps as one graph on CUDA, where possible.
        retries: The number of further attempts at a cohort whose worker died at one step.
        timeout_seconds: The wall time that one attempt at a cohort may take; None for any.
        checkpoint_seconds: The wall time between two checkpoints.
        keep_weights: Whether to keep the trained networks' weights beside the records.
        tensorboard: The folder to which each training writes event files for TensorBoard; None for none.
    """

    device: str = "auto"
    stack: int = 8
    executor: ExecutorName = "inline"
    jobs: int | None = None
    threads: int | None = None
    per_gpu: int = 1
    address: str | None = None
    slurm: Mapping[str, str | int] = field(default_factory=dict)
    deterministic: bool = False
    capture: bool = True
    retries: int = 2
    timeout_seconds: float | None = None
    checkpoint_seconds: float = 60.0
    tensorboard: Path | None = None
    keep_weights: bool = False
