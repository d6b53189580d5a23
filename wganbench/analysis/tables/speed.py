"""Measured speeds as a table, and as a section of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wganbench.analysis.tables import table
from wganbench.analysis.tables.cells import fields, number
from wganbench.analysis.tables.table import NONE, Scalar, Table, inline, paragraph, render
from wganbench.records.speeds import Device, Row, Spread
from wganbench.spec import Experiment, family

EXPLAINED = (
    "A *seed-step* is one generator step, with its critic steps, of one seed. *Plain* is an eager loop over one seed, "
    "without stacking, fused optimisers or capture, as many at a time as there are jobs; *as run* is what `wganbench "
    "run` does. All ways are timed in turns, round after round: rates are medians over rounds, with the quartiles in "
    "brackets, and ratios are taken within each round. *Stack time* is a step of the whole stack in times of one of a "
    "single seed, both by the runner. FLOP/s are counted operations, beside the share of what this machine does in "
    "products of large matrices at the same precision. Memory is a job's most while its stack was trained: of tensors "
    "on a GPU, or of the whole process. A *peer* is another project's step of the same setting, in float32."
)
CHANGED = "† Measured before the variant's setting was changed."


@dataclass(frozen=True)
class Measured:
    """One measured variant, as a row.

    Attributes:
        device: The name that the device reports.
        changed: Whether the spec has a different setting by now.
    """

    row: Row
    device: str
    changed: bool = False

    def cells(self) -> dict[str, str]:
        row = self.row
        stacked = f"{row.jobs} × {row.seeds}" if row.jobs > 1 else str(row.seeds)
        threads = f", {row.threads} thread{'' if row.threads == 1 else 's'}"
        return {
            "variant": f"{row.experiment} {row.variant}, {row.profile}{'†' if self.changed else ''}",
            "seeds": f"{stacked}, {row.execution}, {row.precision}{threads}",
            "GFLOP a seed-step": NONE if row.step_flops is None else f"{row.step_flops / 1e9:,.3g}",
            "plain, seed-steps/s": rate_text(row.plain),
            "as run, seed-steps/s": rate_text(row.stack),
            "as run, steps/s": number(row.stack_steps),
            "as run ÷ plain": spread_text(row.ratio),
            "stack time": spread_text(row.stack_time),
            "GFLOP/s (share)": _flops_text(row),
            "peer, steps/s": _peer_text(row),
            "as run ÷ peer": "" if row.peer is None else spread_text(row.peer.ratio),
            "memory": f"{row.memory_bytes / 2**20:,.0f} MiB",
        }

    def data(self) -> dict[str, Scalar]:
        row, found = self.row, dict[str, Scalar](device=self.device)
        names = ("experiment", "profile", "variant", "family", "target", "jobs", "seeds", "threads", "execution")
        found |= fields(row, *names, "precision", "torch", "commit", "when", "rounds", "step_flops", "memory_bytes")
        found |= fields(row, "plain_steps", "stack_steps", "flops_a_second")
        found |= {f"peer_{name}": getattr(row.peer, name, None) for name in ("function", "package", "version")}
        ways = ("plain", "one", "stack", "ratio", "stack_time", "matmul", "share")
        spreads: dict[str, Spread | None] = {name: getattr(row, name) for name in ways}
        spreads |= {f"peer_{name}": getattr(row.peer, name, None) for name in ("rate", "ratio")}
        for name, spread in spreads.items():
            for part in ("median", "low", "high"):
                found[f"{name}_{part}"] = None if spread is None else getattr(spread, part)
        return found


def spread_text(spread: Spread | None) -> str:
    """Formats a ratio, such as ``"1.52 × [1.49, 1.55]"``."""
    return NONE if spread is None else f"{spread.median:.3g} × [{spread.low:.3g}, {spread.high:.3g}]"


def rate_text(spread: Spread | None) -> str:
    """Formats a rate, such as ``"1,203 [1,190, 1,211]"``."""
    return NONE if spread is None else f"{number(spread.median)} [{number(spread.low)}, {number(spread.high)}]"


def _peer_text(row: Row) -> str:
    """Returns the peer's rate with its name, or nothing, so that a table without peers has no such column."""
    return "" if row.peer is None else f"{rate_text(row.peer.rate)}, {row.peer.package} {row.peer.version}"


def _flops_text(row: Row) -> str:
    if row.flops_a_second is None or row.share is None:
        return NONE
    return f"{row.flops_a_second / 1e9:,.3g} ({100 * row.share.median:.2g} % of {row.matmul.median / 1e9:,.3g})"


def speed_table(name: str, measured: Sequence[Row], experiments: Sequence[Experiment] = ()) -> Table:
    """Returns the speeds measured on a device.

    Args:
        name: The name of the device.
        experiments: The known experiments, to check whether their settings have changed since the measurement.
    """
    known = {experiment.name: experiment for experiment in experiments}
    found = [Measured(row, name, _is_changed(row, known.get(row.experiment))) for row in measured]
    notes = [f"{row.row.experiment} {row.row.variant}: {row.row.note}." for row in found if row.row.note]
    notes += [CHANGED] if any(row.changed for row in found) else []
    return Table(name, tuple(table.Row(row.cells(), row.data()) for row in found), tuple(notes))


def _is_changed(row: Row, experiment: Experiment | None) -> bool:
    if experiment is None:
        return False
    if row.profile not in experiment.profiles or row.variant not in experiment.variants_of(row.profile):
        return True
    return row.family != family(row.variant, experiment.setting(row.variant, row.profile))


def section(devices: Sequence[Device], experiments: Sequence[Experiment]) -> Iterator[str]:
    """Yields the paragraphs of the report's section on speed; none if nothing was measured."""
    if not devices:
        return
    yield EXPLAINED
    for device in devices:
        yield f"## {paragraph(device.name)}"
        yield render(speed_table(device.name, device.rows, experiments), "markdown")
        yield _provenance(device.rows)


def _provenance(rows: Sequence[Row]) -> str:
    """Describes in one line when the rows were measured, and with which versions and commits."""
    days, versions = sorted({row.when[:10] for row in rows}), sorted({row.torch for row in rows})
    commits = sorted({row.commit[:10] for row in rows if row.commit})
    changed = sum(row.dirty is True for row in rows)
    parts = [
        f"Measured {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else ""),
        f"torch {' / '.join(versions)}",
        f"commit {', '.join(commits)}" if commits else "",
        f"{changed} rows from a checkout with uncommitted changes" if changed else "",
    ]
    return inline("; ".join(filter(None, parts))) + "."
