"""A benchmark suite that reproduces the claims of the Wasserstein GAN papers and keeps a record of every run."""


def __getattr__(name: str) -> str:
    """Looks up ``__version__`` in the metadata of the installed package, only when it is asked for."""
    if name == "__version__":
        from importlib import metadata  # imports random: only after __main__ has moved the working folder to the end

        return metadata.version("wganbench")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
