#!/usr/bin/env bash
# Installs wganbench from the checkout that this script is in, with the versions of constraints.txt, into the folder VENV.
# Checking needs no torch, which is installed only if a PROFILE is trained first. The package stays in its checkout, so that
# `check --since` finds the specs that ship in the repository, if that is the one to be checked.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

python3 -m venv "$VENV"
pip=("$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --constraint "$root/constraints.txt")
if [ -n "${PROFILE:-}" ]; then
  "${pip[@]}" --editable "$root"
else
  "$VENV/bin/python" - "$root/pyproject.toml" > "$VENV/dependencies.txt" <<'PYTHON'
import re, sys, tomllib

with open(sys.argv[1], "rb") as file:
    dependencies = tomllib.load(file)["project"]["dependencies"]
print(*(each for each in dependencies if not re.match(r"(torch|pot)\b|torchvision", each, re.IGNORECASE)), sep="\n")
PYTHON
  "${pip[@]}" --requirement "$VENV/dependencies.txt"
  "${pip[@]}" --no-deps --editable "$root"
fi
echo "$VENV/bin" >> "${GITHUB_PATH:-/dev/null}"
