"""How fast devices were seen to train, by the size of a step: ``plan --calibrate`` measures it, ``plan`` reads it.

They are kept in one file of the data folder, ``rates.json``, one entry for each device, torch version and number of
threads. A rate is in operations a second, counted as `wganbench.spec.plan.step_flops` counts them: small networks
have a far lower one than large ones, since what each operator costs beyond its arithmetic is then most of it.
"""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, ValidationError

from wganbench.errors import DataError, RecordError
from wganbench.files import write_atomically
from wganbench.spec import MAX_FLOAT, Model, Setting, Text, mistakes

FILE = "rates.json"
DeviceKind = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
Amount = Annotated[float, Field(ge=1 / MAX_FLOAT, le=MAX_FLOAT)]


def kind(setting: Setting) -> str:
    """What a step's rate depends on beside its size: the critic's network, whether a penalty is trained on, precision.

    The gradient of a gradient takes several times the operators for the same arithmetic.
    """
    rounded = setting.precision if setting.precision != "fp32" else ""
    return ", ".join(filter(None, [setting.critic.name, "penalised" * setting.is_penalised, rounded]))


class Point(Model):
    """One measured setting.

    Attributes:
        kind: Of networks and method, as `wganbench.analysis.estimate.kind` names it: only like is compared with like.
        flops: Operations of a step of the whole cohort.
        rate: Operations a second.
    """

    kind: Text
    flops: Amount
    rate: Amount


class Measured(Model):
    """What was measured on one device.

    Attributes:
        device, name: Its kind, and what it calls itself.
        torch: The version.
        threads: On the CPU.
        when: UTC, ISO 8601, of the last measurement.
    """

    device: DeviceKind
    name: Text
    torch: Text
    threads: PositiveInt
    when: Text
    points: Annotated[list[Point], Field(min_length=1)]

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.device, self.name, self.torch, self.threads

    def rate(self, kind: str, flops: float) -> float | None:
        """Operations a second of a step of ``flops``; None where nothing of this kind was measured.

        Between two points the logarithm of the rate is linear in that of the size. Beyond the largest the rate stays,
        as the device is busy; below the smallest the time stays, which is then that of calling the operators.
        """
        known = sorted((point.flops, point.rate) for point in self.points if point.kind == kind)
        if not known:
            return None
        if flops <= known[0][0]:
            return known[0][1] * flops / known[0][0]
        for (low, slow), (high, fast) in pairwise(known):
            if flops <= high:
                part = math.log(flops / low) / math.log(high / low)
                return slow * (fast / slow) ** part
        return known[-1][1]


class Rates(Model):
    """The file."""

    version: Literal[1]
    measured: list[Measured]


def read(path: Path) -> list[Measured]:
    """All that was measured; nothing where there is no file.

    Raises:
        DataError: If it is damaged or cannot be read.
    """
    remedy = "delete it, 'wganbench plan EXP --calibrate' measures anew"
    try:
        return Rates.model_validate(json.loads(path.read_text(encoding="utf-8"))).measured
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValidationError as error:
        raise DataError(f"{path}: {'; '.join(mistakes(error, Rates))}; {remedy}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not whole JSON; {remedy}") from None


def keep(path: Path, new: Measured) -> None:
    """Adds what was measured to the file; a point takes the place of one of the same kind and size.

    Raises:
        DataError: If the file is damaged, or cannot be written.
    """
    before = read(path)
    sizes = {(point.kind, point.flops) for point in new.points}
    old = [point for each in before if each.key == new.key for point in each.points]
    points = [*(point for point in old if (point.kind, point.flops) not in sizes), *new.points]
    merged = new.model_copy(update={"points": sorted(points, key=lambda point: (point.kind, point.flops))})
    rates = Rates(version=1, measured=[*(each for each in before if each.key != new.key), merged])
    try:
        write_atomically(path, f"{rates.model_dump_json(indent=2)}\n".encode(), replace=True)
    except RecordError:
        raise DataError(f"{path}: cannot be written; choose another folder with --data-dir") from None


def choose(measured: Sequence[Measured], device: DeviceChoice, threads: int) -> Measured | None:
    """What an estimate for ``device`` goes by; None where nothing fits.

    ``auto`` is CUDA where that was measured, else the CPU. This machine's processor and version of torch come before
    others, and the newest before older ones.
    """
    processor, version = processor_name(), torch_version()
    for kind in ("cuda", "cpu") if device == "auto" else (device,):
        fitting = [each for each in measured if each.device == kind and each.threads == threads]
        if fitting:
            return max(fitting, key=lambda each: (each.name == processor, each.torch == version, each.when))
    return None


def processor_name() -> str:
    """As Linux has it, else as Python has."""
    try:
        told = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        told = None
    return told[1].strip() if told else platform.processor() or platform.machine() or "CPU"


def torch_version() -> str:
    """Of the installed torch, which is not imported for it."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"
