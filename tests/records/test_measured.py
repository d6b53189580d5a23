"""Files of numbers that were measured after the training."""

from __future__ import annotations

import pytest

from tests.analysis.factory import GOOD, made, record
from wganbench.errors import RecordError
from wganbench.records.measured import path_of, read


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"run": "x", "run": "x"}', "the key 'run' occurs twice"),
        ('{"run": ', "Invalid JSON|not whole JSON"),
        (b"\xff", "not whole JSON|Invalid JSON"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, content, problem):
    one = record(made(tmp_path), "good", 0, {name: row[0] for name, row in GOOD.items()})
    path = path_of(tmp_path, one)
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecordError, match=problem) as caught:
        read(tmp_path, one)
    assert "\n" not in str(caught.value)
