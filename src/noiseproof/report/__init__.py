"""Reports from finished runs: tables, curves and a page. Nothing here trains."""

from __future__ import annotations

from noiseproof.report._write import render_page, write_report, write_reproduction

__all__ = ["render_page", "write_report", "write_reproduction"]
