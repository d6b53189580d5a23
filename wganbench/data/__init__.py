"""Data sets: objects that draw real samples and take all randomness as an argument."""
