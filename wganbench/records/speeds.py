"""How fast variants were seen to train: ``speed`` measures it, the report shows it. Imports no torch.

``results/speed/DEVICE.json`` holds what was measured on one device, a row a variant and way of running it. Rates are
medians over rounds in each of which all ways were timed one after the other, and ratios are taken within a round: so
they hold on a machine that others use as well.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, ValidationError, model_validator

from wganbench.errors import RecordError
from wganbench.files import leftovers, write_atomically
from wganbench.records.rates import Amount, DeviceKind
from wganbench.spec import RESERVED, Model, Name, Text, mistakes, short

FOLDER = RESERVED
"""Below the results folder; no experiment has this name."""

FEWEST_ROUNDS = 3


class Spread(Model):
    """A median over rounds, and the quartiles about it."""

    median: Amount
    low: Amount
    high: Amount

    @model_validator(mode="after")
    def _is_in_order(self) -> Spread:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"the median {self.median:g} must lie from {self.low:g} to {self.high:g}")
        return self


class Row(Model):
    """One variant, run in one way.

    Attributes:
        family: The variant's name with the hash of its setting, as `wganbench.spec.family` has it.
        target: The named target that this was measured for.
        jobs: Processes at a time, each with its own seeds.
        seeds: Of one job, stacked.
        threads: Of the CPU, a job.
        execution: Whether the runner takes a step operator by operator, or replays a captured one.
        note: Why it was not captured, where that was tried.
        precision: Of the runner's arithmetic, and of the matrix products that ``matmul`` tells of.
        torch, commit, dirty, when: The version; of the checkout that measured, None where it is installed; UTC.
        rounds: In which each way was timed once.
        step_flops: Operations of a step and seed, as `wganbench.spec.plan.step_flops` counts them; None where unknown.
        plain: Steps of a seed a second of a plain eager loop over one seed, of all jobs together; None where no such
            loop is written.
        one: The same of the runner with one seed a job.
        stack: The same of the runner with all seeds of a job stacked.
        ratio: ``stack`` over ``plain``.
        stack_time: How many times as long a step of the stack takes as one of a single seed by the runner.
        matmul: Operations a second in products of large square matrices, of all jobs together.
        share: What ``stack`` comes to of ``matmul``.
        memory_bytes: The most that a job held while its stack was trained: of the card, or of the whole process.
    """

    experiment: Name
    profile: Name
    variant: Name
    family: Text
    target: Text | None
    jobs: PositiveInt
    seeds: PositiveInt
    threads: PositiveInt
    execution: Literal["eager", "captured"]
    note: Text | None = None
    precision: Text
    torch: Text
    commit: Text | None
    dirty: bool | None
    when: Text
    rounds: Annotated[int, Field(ge=FEWEST_ROUNDS)]
    step_flops: Amount | None
    plain: Spread | None
    one: Spread
    stack: Spread
    ratio: Spread | None
    stack_time: Spread
    matmul: Spread
    share: Spread | None
    memory_bytes: PositiveInt

    @model_validator(mode="after")
    def _has_what_belongs_together(self) -> Row:
        if (self.plain is None) != (self.ratio is None):
            raise ValueError("plain and ratio must both be there, or neither")
        if (self.step_flops is None) != (self.share is None):
            raise ValueError("step_flops and share must both be there, or neither")
        return self

    @property
    def key(self) -> tuple[Any, ...]:
        """What a row takes the place of another by, and is sorted by."""
        about = (self.experiment, self.profile, self.variant, self.jobs, self.threads, self.seeds)
        return (*about, self.target or "")

    @property
    def plain_steps(self) -> float | None:
        """Steps a second of a plain loop in one job."""
        return None if self.plain is None else self.plain.median / self.jobs

    @property
    def stack_steps(self) -> float:
        """Steps a second of the stack in one job, each a step of all its seeds."""
        return self.stack.median / (self.jobs * self.seeds)

    @property
    def flops_a_second(self) -> float | None:
        """Of all jobs together, as the runner executes them."""
        return None if self.step_flops is None else self.step_flops * self.stack.median


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _each_once(rows: list[Row]) -> list[Row]:
    keys = [row.key for row in rows]
    twice = next((row for row in rows if keys.count(row.key) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice.experiment} {twice.variant} is there twice")
    return rows


class Device(Model):
    """A file: what was measured on one device, which names it."""

    version: Literal[1]
    checksum: Digest
    device: DeviceKind
    name: Text
    rows: Annotated[list[Row], Field(min_length=1), AfterValidator(_each_once)]


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of at least two values, to five digits."""
    low, median, high = (float(f"{value:.5g}") for value in statistics.quantiles(values, n=4, method="inclusive"))
    return Spread(median=median, low=low, high=high)


Rounds = Mapping[str, Sequence[float]]
"""Steps a second, all jobs together, by way (plain, one, stack) and round; of matmul, operations a second."""


def summary(rounds: Rounds, seeds: int, step_flops: float | None) -> dict[str, Any]:
    """The fields of a `Row` that are numbers over rounds.

    Args:
        rounds: Without ``one`` where the stack is of one seed, without ``plain`` where no such loop is written.
    """
    plain, matmul = rounds.get("plain"), rounds["matmul"]
    stack = [rate * seeds for rate in rounds["stack"]]
    one = rounds.get("one", rounds["stack"])
    share = step_flops and [step_flops * rate / peak for rate, peak in zip(stack, matmul, strict=True)]
    return {
        "rounds": len(stack),
        "step_flops": step_flops,
        "plain": spread(plain) if plain else None,
        "one": spread(one),
        "stack": spread(stack),
        "ratio": spread([ours / theirs for ours, theirs in zip(stack, plain, strict=True)]) if plain else None,
        "stack_time": spread([alone / rate for alone, rate in zip(one, rounds["stack"], strict=True)]),
        "matmul": spread(matmul),
        "share": spread(share) if share else None,
    }


# ---- files --------------------------------------------------------------------------------------------------------


def slug(name: str) -> str:
    """A device's name as that of a file: small letters, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:80].strip("-") or "device"


def path_of(results: Path, name: str) -> Path:
    return results / FOLDER / f"{slug(name)}.json"


def paths(results: Path) -> list[Path]:
    """Every file that should be one of these, sorted."""
    return sorted((results / FOLDER).glob("[!.]*.json"))


def load(results: Path) -> list[Device]:
    """All that was measured, by the names of the files.

    Raises:
        RecordError: With a line for each file that is damaged, cannot be read, or has another's name.
    """
    devices, problems = scan(results)
    if problems:
        raise RecordError("\n".join(problems))
    return devices


def scan(results: Path) -> tuple[list[Device], list[str]]:
    """The files that can be read, and a line for each that cannot."""
    devices, problems = [], []
    for path in paths(results):
        try:
            devices.append(_read(path))
        except RecordError as error:
            problems.append(str(error))
    return devices, problems


def keep(results: Path, device: DeviceKind, name: str, new: Iterable[Row]) -> Path:
    """Adds rows to the file of a device; one takes the place of the one with its key.

    Raises:
        RecordError: If the file is damaged, or cannot be written.
    """
    path = path_of(results, name)
    rows = {row.key: row for row in (_read(path).rows if path.exists() else [])} | {row.key: row for row in new}
    write_atomically(path, _text(device, name, [rows[key] for key in sorted(rows)]).encode(), replace=True)
    for leftover in leftovers(path.parent):
        leftover.unlink(missing_ok=True)
    return path


def _text(device: DeviceKind, name: str, rows: Sequence[Row]) -> str:
    """A row a line, so that a change of one is seen as one."""
    dumped = [row.model_dump(mode="json") for row in rows]
    content = {"version": 1, "device": device, "name": name, "rows": dumped}
    about = {"version": 1, "checksum": _checksum(content), "device": device, "name": name}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in about.items()]
    listed = ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in dumped)
    return "\n".join(["{", *lines, f'  "rows": [\n{listed}\n  ]', "}", ""])


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read(path: Path) -> Device:
    remedy = "restore it, or delete it and measure anew with 'wganbench speed'"
    try:
        content = json.loads(path.read_bytes().decode())
        device = Device.model_validate(content)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValidationError as error:
        raise RecordError(f"{path}: {'; '.join(mistakes(error, Device))}; {remedy}") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path}: not whole JSON; {remedy}") from None
    if device.checksum != _checksum({key: value for key, value in content.items() if key != "checksum"}):
        raise RecordError(f"{path}: content does not match its checksum {short(device.checksum)}; {remedy}")
    if path.stem != slug(device.name):
        raise RecordError(
            f"{path}: holds what was measured on {short(device.name)}; rename it to {slug(device.name)}.json"
        )
    return device
