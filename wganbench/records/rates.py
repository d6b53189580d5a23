"""Measured training rates of devices by step size; ``plan --calibrate`` measures them, ``plan`` reads them.

They are stored in one file of the data folder, ``rates.json``, with one entry for each device, torch version and number
of threads. A rate is in operations per second, counted as `wganbench.spec.plan.step_flops` counts them. Small networks
have a far lower rate than large ones, because the overhead of each operator then outweighs its arithmetic.
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
from wganbench.reading import read_bytes
from wganbench.spec import MAX_FLOAT, Model, Setting, Text, mistakes

FILE = "rates.json"
MAX_BYTES = 2**24
"""The largest file in bytes."""
DeviceKind = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
Amount = Annotated[float, Field(ge=1 / MAX_FLOAT, le=MAX_FLOAT)]


def kind(setting: Setting) -> str:
    """Returns the kind of a setting, which with the size of a step determines its rate.

    The kind is made of the critic's network, whether there is a penalty, and the precision. A penalty matters because
    the gradient of a gradient takes several times as many operators for the same arithmetic.
    """
    rounded = setting.precision if setting.precision != "fp32" else ""
    return ", ".join(filter(None, [setting.critic.name, "penalised" * setting.is_penalised, rounded]))


class Point(Model):
    """The measured rate of one setting.

    Attributes:
        kind: The kind of the setting, as `kind` returns it; rates are interpolated within one kind only.
        flops: The number of operations in a step of the whole cohort.
        rate: The operations per second.
    """

    kind: Text
    flops: Amount
    rate: Amount


class Measured(Model):
    """The rates measured on one device.

    Attributes:
        device, name: The kind of the device, and the name that it reports.
        torch: The version of torch.
        threads: The number of CPU threads.
        when: The time of the last measurement, UTC, ISO 8601.
        points: The measured settings.
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
        """Estimates the operations per second of a step of ``flops``; None if nothing of this kind was measured.

        Between two points the logarithm of the rate is linear in the logarithm of the size. Above the largest point
        the rate is constant, since the device is fully used; below the smallest point the time is constant, since
        calling the operators then takes all of it.
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
    """The content of the file."""

    version: Literal[1]
    measured: list[Measured]


def read(path: Path) -> list[Measured]:
    """Reads all measured rates; returns an empty list if there is no file.

    Raises:
        DataError: If the file is damaged or cannot be read.
    """
    remedy = "delete it, 'wganbench plan EXP --calibrate' measures again"
    try:
        return Rates.model_validate(json.loads(read_bytes(path, MAX_BYTES))).measured
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValidationError as error:
        raise DataError(f"{path}: {'; '.join(mistakes(error, Rates))}; {remedy}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not whole JSON; {remedy}") from None


def keep(path: Path, new: Measured) -> None:
    """Adds new measurements to the file; a point replaces an older one of the same kind and size.

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
    """Chooses the measurements to base an estimate for ``device`` on; None if there are none for it.

    ``auto`` means CUDA if it was measured, else the CPU. This machine's processor is preferred to others, then the
    installed version of torch, then the newest measurement.
    """
    processor, version = processor_name(), torch_version()
    for kind in ("cuda", "cpu") if device == "auto" else (device,):
        fitting = [each for each in measured if each.device == kind and each.threads == threads]
        if fitting:
            return max(fitting, key=lambda each: (each.name == processor, each.torch == version, each.when))
    return None


def processor_name() -> str:
    """Returns the processor's name as Linux reports it, or on other systems as Python does."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine() or "CPU"


def torch_version() -> str:
    """Returns the version of the installed torch without importing it, or ``"none"``."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "none"
