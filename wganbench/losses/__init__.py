"""Objectives that critics and generators minimise, and Lipschitz constraints on critics."""
