"""A benchmark suite that reproduces the claims of the Wasserstein GAN papers and keeps a record of every run.

The functions of the Python interface, `wganbench.api`, can be called from here: ``import wganbench as wb``, then
``wb.verdicts("gaussians8", "results")``.
"""

import os
from typing import Any

# torch reads this when it is imported, which is always after this package here. Without it, torch 2.14 compiles some
# products on CUDA when they are first computed, for which it needs a C compiler. The user's own value stays.
os.environ.setdefault("TORCH_DISABLE_NATIVE_JIT", "1")
# On a CPU, a step of an image network makes hundreds of large tensors, whose memory the system clears page by page.
# With this, torch asks for pages of 2 MiB for tensors of that size and more.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_INTERFACE = ("experiments", "experiment", "records", "curves", "verdicts", "checks", "figure", "run")


def __getattr__(name: str) -> Any:
    """Looks up ``__version__`` and the Python interface only when they are asked for: importing them takes time."""
    if name == "__version__":
        from importlib import metadata  # imports random: only after __main__ has moved the working folder to the end

        return metadata.version("wganbench")
    if name in _INTERFACE:
        from wganbench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the Python interface as well, for help and completion."""
    return sorted({*globals(), *_INTERFACE})
