"""Data sets: objects that draw real samples, with no randomness of their own."""
