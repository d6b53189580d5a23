"""The report as one HTML page that works offline: the scoreboard with filters, and each claim with all of its runs."""

from wganbench.analysis.html.page import Against, compared_with
from wganbench.analysis.html.render import FILE, write_html

__all__ = ["FILE", "Against", "compared_with", "write_html"]
