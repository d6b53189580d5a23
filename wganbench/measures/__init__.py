"""Measures: pure functions from samples to one number, whose positional parameters the runner fills by name.

``fake`` and ``real`` are samples of one seed, ``data`` draws real samples, ``critic`` maps ``(n, 2)`` to ``(n,)``,
``rng`` is a random stream. Samples of a diverged generator, which are not finite, measure NaN.
"""
