"""Measures: pure functions from samples to one number, whose positional parameters the runner fills by name.

``fake`` and ``real`` are samples of one seed, ``data`` draws real samples, ``critic`` maps ``(n, 2)`` to ``(n,)`` and
``rng`` is a random stream. The measure of a diverged generator, whose samples are not finite, is NaN.
"""
