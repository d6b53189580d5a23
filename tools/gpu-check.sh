#!/usr/bin/env bash
# Asks a GPU everything that only a GPU can answer, in 12 minutes; `tools/gpu-check.sh --help` has the options.
# Runs $PYTHON, or the Python of tox, or python3; it needs the package's dependencies and pytest, and no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    if [ -x .tox/py/bin/python ]; then PYTHON=.tox/py/bin/python; fi
fi
exec "$PYTHON" tools/gpu_check.py "$@"
