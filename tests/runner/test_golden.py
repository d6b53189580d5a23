"""One step of every shipped variant, against values kept in golden.json.

Where numbers move, the change was either not meant, or the ``protocol`` of what was changed must go up in names.py;
that gives the runs new ids, and ``python tests/runner/test_golden.py`` then writes their values.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from wganbench.runner.cohort import train_cohort
from wganbench.spec import available, load
from wganbench.spec.catalogue import find
from wganbench.spec.plan import Cohort, Run, expand

FILE = Path(__file__).with_name("golden.json")


def planned() -> dict[str, Run]:
    return {
        f"{name}/{run.variant}": run for name in available() for run in expand(load(name, ["steps=1"]), "smoke", [0])
    }


def one_step(run: Run) -> dict[str, float]:
    """Losses and measures that one step defines; drift and rank correlation, say, need more of them."""
    (outcome,) = train_cohort(Cohort((run,)))
    record = outcome.record
    assert record.status == "finished", record.note
    labels = ("critic_loss", "generator_loss") if run.setting.fixed_generator is None else ("critic_loss",)
    losses = {label: record.curves[label].values[0] for label in labels}
    timed = {label for label, use in run.setting.measures.items() if find("measure", use.measure.name).timed}
    values = {label: value for label, value in {**losses, **record.measures}.items() if label not in timed}
    return {label: value for label, value in values.items() if value is not None}


RUNS = planned()


@pytest.mark.parametrize("variant", RUNS)
def test_one_step_gives_the_recorded_values(variant):
    golden = json.loads(FILE.read_text())
    run = RUNS[variant]
    assert run.family in golden, f"{run.family} has no golden values: see this file's first lines"
    assert one_step(run) == pytest.approx(golden[run.family], rel=1e-3, abs=1e-5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILE.write_text(json.dumps({run.family: one_step(run) for run in RUNS.values()}, indent=1) + "\n")
