"""Measured training speeds of variants: ``speed`` measures them, the report shows them. Imports no torch.

``results/speed/DEVICE.json`` holds the measurements of one device, with a row for each variant and way of running it.
Rates are medians over rounds; each round times all ways one after the other, and ratios are taken within a round, so
that they stay valid on a machine that others use as well.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, ValidationError, model_validator

from wganbench.errors import RecordError
from wganbench.files import leftovers, write_atomically
from wganbench.reading import read_bytes
from wganbench.records.rates import Amount, DeviceKind
from wganbench.records.record import Sha256, TwiceError, content_checksum, parse_json
from wganbench.spec import RESERVED, Line, Model, Name, mistakes, short

FOLDER = RESERVED
"""The folder of the measured speeds inside the results folder; no experiment may have this name."""

MAX_BYTES = 2**24
"""The largest file of a device in bytes."""

FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Timing:
    """How a variant is timed.

    Attributes:
        seeds: The number of seeds stacked in one job; None for the stack of the spec.
        jobs: The number of concurrent processes, each with its own seeds; 1 is the measuring process itself.
        threads: The number of CPU threads of a job.
        seconds: The approximate time of all timing together; even a long step is taken at least three times per way.
        peer: The function that makes a step of another project, as ``package.module:function``; None for no peer.
    """

    seeds: int | None = None
    jobs: int = 1
    threads: int = 1
    seconds: float = 10.0
    peer: str | None = None


class Spread(Model):
    """A median over rounds, with the lower and upper quartiles."""

    median: Amount
    low: Amount
    high: Amount

    @model_validator(mode="after")
    def _is_in_order(self) -> Spread:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"the median {self.median:g} must lie from {self.low:g} to {self.high:g}")
        return self


class Peer(Model):
    """The speed of another project's step, timed in turns with the runner's.

    Attributes:
        function: The user's function that makes the step, as ``package.module:function``.
        package: The distribution to which the step belongs.
        version: The version of the distribution.
        rate: Steps per second in float32, summed over all jobs; each job takes the steps of one seed.
        ratio: The runner's seed-steps per second with all seeds of a job stacked, divided by ``rate``.
    """

    function: Line
    package: Line
    version: Line
    rate: Spread
    ratio: Spread


class Row(Model):
    """The measured speed of one variant, run in one way.

    Attributes:
        family: The setting id: the variant's name with the hash of its setting, as `wganbench.spec.family` returns it.
        target: The speed goal that an earlier version measured this row for; None since.
        jobs: The number of concurrent processes, each with its own seeds.
        seeds: The number of seeds stacked in one job.
        threads: The number of CPU threads of a job.
        execution: Whether the runner takes a step operator by operator or replays a captured one.
        note: The reason why capturing failed; None if it succeeded or was not tried.
        precision: The precision of the runner's arithmetic, and of the matrix products timed for ``matmul``.
        torch: The version of torch.
        commit, dirty: The commit of the checkout that measured, and whether it had uncommitted changes; None for an
            installed package.
        when: The time of the measurement, UTC.
        rounds: The number of rounds; each way is timed once in each.
        step_flops: Operations per step and seed, as `wganbench.spec.plan.step_flops` counts them; None if unknown.
        plain: Seed-steps per second of a plain eager loop over one seed, summed over all jobs; None if no such loop is
            written.
        one: Seed-steps per second of the runner with one seed per job, summed over all jobs.
        stack: Seed-steps per second of the runner with all seeds of a job stacked, summed over all jobs.
        ratio: ``stack`` divided by ``plain``.
        stack_time: The time of a step of the stack, divided by that of the runner's step of a single seed.
        matmul: Operations per second in products of large square matrices, summed over all jobs.
        share: The operations per second of ``stack``, as a fraction of ``matmul``.
        memory_bytes: The most memory that a job held while its stack was trained, on the GPU or else in the process.
        peer: Another project's step; None, and omitted from the file, if none was timed.
    """

    experiment: Name
    profile: Name
    variant: Name
    family: Line
    target: Line | None = None
    jobs: PositiveInt
    seeds: PositiveInt
    threads: PositiveInt
    execution: Literal["eager", "captured"]
    note: Line | None = None
    precision: Line
    torch: Line
    commit: Line | None
    dirty: bool | None
    when: Line
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
    peer: Peer | None = Field(default=None, exclude_if=lambda peer: peer is None)

    @model_validator(mode="after")
    def _has_what_belongs_together(self) -> Row:
        if (self.plain is None) != (self.ratio is None):
            raise ValueError("plain and ratio must both be there, or neither")
        if (self.step_flops is None) != (self.share is None):
            raise ValueError("step_flops and share must both be there, or neither")
        return self

    @property
    def key(self) -> tuple[Any, ...]:
        """The sort key of a row, which also identifies the row that a new one replaces."""
        return self.experiment, self.profile, self.variant, self.jobs, self.threads, self.seeds

    @property
    def plain_steps(self) -> float | None:
        """Steps per second of a plain loop in one job."""
        return None if self.plain is None else self.plain.median / self.jobs

    @property
    def stack_steps(self) -> float:
        """Steps per second of the stack in one job; each is a step of all its seeds."""
        return self.stack.median / (self.jobs * self.seeds)

    @property
    def flops_a_second(self) -> float | None:
        """Operations per second of the runner's stacks, summed over all jobs; None if the cost of a step is unknown."""
        return None if self.step_flops is None else self.step_flops * self.stack.median


def _each_once(rows: list[Row]) -> list[Row]:
    keys = [row.key for row in rows]
    twice = next((row for row in rows if keys.count(row.key) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice.experiment} {twice.variant} is there twice")
    return rows


class Device(Model):
    """The content of a file: the measurements of one device, after which the file is named."""

    version: Literal[1]
    checksum: Sha256
    device: DeviceKind
    name: Line
    rows: Annotated[list[Row], Field(min_length=1), AfterValidator(_each_once)]


def spread(values: Sequence[float]) -> Spread:
    """Computes the median and quartiles of at least two values, to five significant digits."""
    low, median, high = (float(f"{value:.5g}") for value in statistics.quantiles(values, n=4, method="inclusive"))
    return Spread(median=median, low=low, high=high)


Rounds = Mapping[str, Sequence[float]]
"""Steps per second, summed over all jobs, by way (plain, one, stack, peer) and round; operations, if of matmul."""


def summary(rounds: Rounds, seeds: int, step_flops: float | None) -> dict[str, Any]:
    """Computes the fields of a `Row` that summarise the rounds; of a peer, its rate and ratio.

    Args:
        rounds: The rates; without ``one`` if the stack has one seed, without ``plain`` if no such loop is written, and
            without ``peer`` if there is none.
        seeds: The number of seeds in the stack.
        step_flops: Operations per step and seed; None if unknown.
    """
    plain, matmul = rounds.get("plain"), rounds["matmul"]
    stack = [rate * seeds for rate in rounds["stack"]]
    one = rounds.get("one", rounds["stack"])
    share = step_flops and [step_flops * rate / peak for rate, peak in zip(stack, matmul, strict=True)]
    peer = rounds.get("peer")
    return {
        "rounds": len(stack),
        "step_flops": step_flops,
        "plain": spread(plain) if plain else None,
        "one": spread(one),
        "stack": spread(stack),
        "ratio": _ratio(stack, plain) if plain else None,
        "stack_time": spread([alone / rate for alone, rate in zip(one, rounds["stack"], strict=True)]),
        "matmul": spread(matmul),
        "share": spread(share) if share else None,
        "peer": {"rate": spread(peer), "ratio": _ratio(stack, peer)} if peer else None,
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


# ---- files --------------------------------------------------------------------------------------------------------


def slug(name: str) -> str:
    """Turns a device's name into a file name of lower-case letters, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:80].strip("-") or "device"


def path_of(results: Path, name: str) -> Path:
    return results / FOLDER / f"{slug(name)}.json"


def paths(results: Path) -> list[Path]:
    """Returns every file that should hold measured speeds, sorted."""
    return sorted((results / FOLDER).glob("[!.]*.json"))


def load(results: Path) -> list[Device]:
    """Reads all measured speeds, in the order of the file names.

    Raises:
        RecordError: If files are damaged, cannot be read, or have another device's name, with a line for each.
    """
    devices, problems = scan(results)
    if problems:
        raise RecordError("\n".join(problems))
    return devices


def scan(results: Path) -> tuple[list[Device], list[str]]:
    """Returns the content of the files that can be read, and a line for each file that cannot."""
    devices, problems = [], []
    for path in paths(results):
        try:
            devices.append(_read(path))
        except RecordError as error:
            problems.append(str(error))
    return devices, problems


def keep(results: Path, device: DeviceKind, name: str, new: Iterable[Row]) -> Path:
    """Adds rows to the file of a device; a new row replaces the one with the same key.

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
    """Returns the file's text, with each row on one line, so that a diff shows which rows changed."""
    dumped = [row.model_dump(mode="json") for row in rows]
    content = {"version": 1, "device": device, "name": name, "rows": dumped}
    about = {"version": 1, "checksum": content_checksum(content), "device": device, "name": name}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in about.items()]
    listed = ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in dumped)
    return "\n".join(["{", *lines, f'  "rows": [\n{listed}\n  ]', "}", ""])


def _read(path: Path) -> Device:
    remedy = "restore it, or delete it and measure again with 'wganbench speed'"
    try:
        content = parse_json(read_bytes(path, MAX_BYTES).decode())
        device = Device.model_validate(content)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValidationError as error:
        raise RecordError(f"{path}: {'; '.join(mistakes(error, Device))}; {remedy}") from None
    except TwiceError as error:
        raise RecordError(f"{path}: the key {short(str(error))} occurs twice in one table; {remedy}") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path}: not whole JSON; {remedy}") from None
    if device.checksum != content_checksum({key: value for key, value in content.items() if key != "checksum"}):
        raise RecordError(f"{path}: content does not match its checksum {short(device.checksum)}; {remedy}")
    if path.stem != slug(device.name):
        raise RecordError(
            f"{path}: holds what was measured on {short(device.name)}; rename it to {slug(device.name)}.json"
        )
    return device
