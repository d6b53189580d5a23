"""A reproduction benchmark suite for the Wasserstein GAN papers: every claim a command, every number a record."""


def __getattr__(name: str) -> str:
    """Looks up ``__version__`` in what is installed, the first time that it is asked for."""
    if name == "__version__":
        from importlib import metadata  # not before __main__ has put the working folder last, as it imports random

        return metadata.version("wganbench")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
