"""What Python runs first in every process of a rehearsal: it replaces what depends on the device's numbers.

`tools/gpu-check.sh --rehearse` puts this folder on the path of the processes that it starts on the stand-in.
"""

import sys
from pathlib import Path
from types import ModuleType

tests = sys.modules["tests"] = ModuleType("tests")  # some distribution installs another package of this name
tests.__path__ = [str(Path(__file__).parents[2])]
from tests.fake_cuda.values import replace_decisions, replace_measures  # noqa: E402

replace_decisions({"shapes10"})
replace_measures()
for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
    del sys.modules[name]
