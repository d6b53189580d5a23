"""``python -m wganbench``."""

import os
import sys

try:
    here = os.getcwd()  # noqa: PTH109  # pathlib imports too much
except OSError:  # it was removed
    here = ""
if not sys.flags.safe_path and sys.path and sys.path[0] == here:
    sys.path.append(sys.path.pop(0))  # -m puts the working folder first, where any ot.py would take the place of POT

from wganbench.cli import main

main()
