"""The report as one HTML page that works offline: the scoreboard with filters, and each claim with all of its runs."""

from wganbench.analysis.html.render import FILE, write_html

__all__ = ["FILE", "write_html"]
