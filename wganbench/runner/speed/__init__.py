"""Measures how fast this machine takes training steps."""
