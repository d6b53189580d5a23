"""Turns planned runs into records: imports objects by name, trains cohorts and measures them."""
