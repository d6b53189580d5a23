"""The Markdown pages of a report, one module a page: the results folder, each experiment, and measured speeds."""
