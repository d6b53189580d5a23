"""A description of one run in plain words, from its record."""

from __future__ import annotations

from collections.abc import Iterator

from wganbench.records.record import Record
from wganbench.spec import CONTROL


def summary(record: Record) -> Iterator[str]:
    """Yields lines on how the run ended, with the traceback if it failed, what it measured, and how it was made."""
    steps = f"{record.steps_done:,} of {record.setting.steps:,} steps"
    again = f", after {record.retries} retries" if record.retries else ""
    yield f"{record.experiment}, {record.variant}, profile {record.profile}, seed {record.seed}"
    if record.overrides:
        yield f"  changed      {', '.join(record.overrides)}"
    yield f"  status       {record.status} after {steps}{again}"
    yield f"  seconds      {record.wall_seconds:.1f}, of {_runs(len(record.cohort))} trained together"
    yield from _note(record.note)
    yield from _measures(record)
    yield from _made(record)


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _note(note: str | None) -> Iterator[str]:
    lines = [CONTROL.sub("?", line) for line in (note or "").strip().splitlines()]
    if len(lines) == 1:
        yield f"  note         {lines[0]}"
    elif lines:
        yield f"  note         {lines[-1].strip()}"
        yield from (f"    {line}" for line in lines)


def _measures(record: Record) -> Iterator[str]:
    """Yields the last value of each measure, and its best value if that differs."""
    for name, value in record.measures.items():
        best = record.best.get(name)
        other = f"  (best {best:.6g})" if best is not None and best != value else ""
        yield f"  {name}  {'none' if value is None else f'{value:.6g}'}{other}"
    if record.score_protocol is not None:
        yield f"  scored by    {record.score_protocol}"


def _made(record: Record) -> Iterator[str]:
    made = record.provenance
    threads = "1 thread" if made.threads == 1 else f"{made.threads} threads"
    how = [made.device, threads, "deterministic" if made.deterministic else "", made.precision]
    how += ["as a CUDA graph"] if made.captured else []
    yield f"  made         {made.started}, on {', '.join(filter(None, how))}"
    yield f"  with         {', '.join(f'{name} {version}' for name, version in sorted(made.libraries.items()))}"
    if made.commit is not None:
        changed = ", with uncommitted changes" if made.dirty else ""
        yield f"  commit       {made.commit}{changed}"
    data = record.setting.data.name
    yield f"  data         {data}" + (f", checksum {record.data_checksum}" if record.data_checksum else "")
    for artefact in record.artefacts:
        yield f"  artefact     {artefact.file}"
