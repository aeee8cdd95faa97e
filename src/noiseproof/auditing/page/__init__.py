"""The page on which a person checks suspicious labels: one HTML file that needs no server and no network."""

from __future__ import annotations

from noiseproof.auditing.page._page import Checked, Evidence, render_page

__all__ = ["Checked", "Evidence", "render_page"]
