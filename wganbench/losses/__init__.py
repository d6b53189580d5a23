"""Objectives and Lipschitz constraints: what a critic and a generator minimise."""
