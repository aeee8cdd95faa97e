"""Reports from finished runs: tables, curves and a page. Nothing here trains."""

from __future__ import annotations

from noiseproof.report._write import write_report, write_reproduction

__all__ = ["write_report", "write_reproduction"]
