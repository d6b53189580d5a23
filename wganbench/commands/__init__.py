"""The commands, those that belong together in a module: parse, delegate, print.

Nothing here imports torch as it is imported; ``run``, ``speed`` and others lead to it.
"""
