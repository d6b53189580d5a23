"""Judgements of methods: what pairs of runs settle, and the tables, figures and pages of a submission."""
