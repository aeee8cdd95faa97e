"""Settings of the documentation site."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "noiseproof"
author = "The noiseproof developers"
copyright = "2026, the noiseproof developers"  # noqa: A001 - Sphinx's name
release = importlib.metadata.version("noiseproof")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "failure_table",
    "head_table",
    "loss_reference",
    "mathml",
    "method_tables",
]
exclude_patterns = ["_build", "_ext", "_generated"]
html_theme = "furo"
html_title = "noiseproof"
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
nitpicky = False
