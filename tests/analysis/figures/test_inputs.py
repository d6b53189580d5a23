"""What a figure is drawn from: a digest of its data, and one of the code and libraries."""

import re
from pathlib import Path

import wganbench
from tests.analysis.factory import CLAIMS, FIGURES, fill, made
from wganbench.analysis.figures import data_digest, drawings_of, inputs
from wganbench.analysis.results import Results
from wganbench.records.record import checksum_of
from wganbench.records.store import Store
from wganbench.spec import Experiment

PACKAGE = Path(wganbench.__file__).parent


def digests(experiment: Experiment, records) -> dict[str, str]:
    checksums = {name: checksum_of(record) for name, record in records.items()}
    drawings = drawings_of(Results(experiment, records))
    return {drawing.figure.id: data_digest(drawing, checksums) for drawing in drawings}


def test_all_code_that_figures_import_of_the_analysis_is_in_the_digest():
    known = {path for pattern in inputs.CODE for path in PACKAGE.glob(pattern)}
    for path in (PACKAGE / "analysis" / "figures").glob("*.py"):
        for name in re.findall(r"^from wganbench\.(analysis\.[\w.]+) import", path.read_text(), flags=re.MULTILINE):
            module = PACKAGE / Path(*name.split("."))
            own = [module / "__init__.py" if module.is_dir() else module.with_suffix(".py")]
            assert {*own} <= known or name == "analysis.profiles", f"{path.name}: {name}"


def test_a_digest_changes_with_settings_and_records_and_not_with_claims(tmp_path):
    store = Store(tmp_path / "results")
    plain = made(tmp_path, FIGURES)
    records = fill(store, plain)
    before = digests(plain, records)
    assert digests(made(tmp_path, CLAIMS, FIGURES), records) == before
    wider = digests(made(tmp_path, FIGURES.replace('kind = "clouds"', 'kind = "clouds"\nwindow = 3.0')), records)
    assert {name for name, digest in wider.items() if digest != before[name]} == {"clouds"}
    first = next(iter(records.values()))
    changed = records | {first.id: first.model_copy(update={"wall_seconds": 2.0})}
    assert digests(plain, changed)["curves"] != before["curves"]
