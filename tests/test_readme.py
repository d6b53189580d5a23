"""What the README shows of a claim is what the command prints."""

import re
from pathlib import Path

from click.testing import CliRunner

from wganbench.cli import cli

ROOT = Path(__file__).parents[1]


def test_the_excerpt_of_explain_is_what_it_prints():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ((claim, excerpt),) = re.findall(r"^\$ wganbench explain (\S+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    result = CliRunner().invoke(cli, ["explain", claim, "--results", str(ROOT / "results")])
    assert result.exit_code == 0, result.output
    lines = [line for line in excerpt.splitlines() if line != "…"]
    assert len(lines) > 10
    assert [line for line in lines if line not in result.output.splitlines()] == []
