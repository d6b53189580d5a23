"""One step of every shipped variant, against values kept in golden.json.

If numbers move, the change was either not intended, or the ``protocol`` of the changed object must go up in
``wganbench/spec/catalogue/``, which gives its runs new ids. ``python tests/runner/test_golden.py`` writes the values of
runs that have none, such as those of a new experiment, and drops the values of runs that are gone.
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
RELATIVE, ABSOLUTE = 3e-3, 1e-5
ROUNDING = {"swissroll/clip-0.01-batch": 0.5, "theorem2/critic-fewer-64": 2e-2}
"""The relative tolerance where it must be larger: the first step of RMSProp and Adam depends on signs alone, also of
gradients that are nothing but rounding. These differ from processor to processor."""


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
    tolerance = ROUNDING.get(variant, RELATIVE)
    assert one_step(run) == pytest.approx(golden[run.family], rel=tolerance, abs=ABSOLUTE)


if __name__ == "__main__":
    torch.set_num_threads(1)
    kept, families = json.loads(FILE.read_text()), {run.family: run for run in RUNS.values()}
    values = {family: kept[family] for family in kept if family in families}
    values |= {family: one_step(run) for family, run in families.items() if family not in kept}
    FILE.write_text(json.dumps(values, indent=1) + "\n")
