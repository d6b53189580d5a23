"""Adversarial training of a stack of seeds: the step, unrolling, and the stack itself."""
