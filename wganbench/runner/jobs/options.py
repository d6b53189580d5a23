"""How runs are executed, as a command asks for it; none of it is part of what a run is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ExecutorName = Literal["inline", "local", "ray", "slurm"]


@dataclass(frozen=True)
class Execution:
    """How runs are executed; none of it changes what is computed, beyond the last bits.

    Attributes:
        device: ``auto`` is CUDA where there is one, else the CPU.
        stack: Seeds a cohort.
        executor: ``inline`` trains in this process, ``local`` in processes of this machine, ``ray`` on a Ray cluster,
            ``slurm`` as a job array.
        jobs: Cohorts at a time; None for what the machine has cores or cards for. Not read by ``inline``.
        threads: CPU threads a cohort; None leaves torch's choice. The number changes the last bits.
        per_gpu: Cohorts that share a card.
        address: Of a Ray cluster; None starts one on this machine.
        slurm: What ``sbatch`` is asked for, by submitit's names, such as ``slurm_partition``.
        deterministic: Hold torch to deterministic algorithms.
        capture: On CUDA, replay steps as one graph where they can be.
        retries: How often a cohort is tried again after its worker died at one step.
        timeout_seconds: Wall time that one attempt at a cohort may take; None for any.
        checkpoint_seconds: Wall time between two checkpoints.
        tensorboard: Folder of event files for TensorBoard, which whatever trains writes; None writes none.
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
