"""Configure Sphinx. The build needs no network: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `generated`, an extension of this folder

project = "resilient"
author = "The resilient developers"
project_copyright = author
release = version = version_of("resilient-aiohttp")
html_title = f"resilient {version}"
html_theme = "furo"
html_show_copyright = False
html_last_updated_fmt = None
html_copy_source = False
html_show_sourcelink = False
smartquotes_action = "D"  # dashes only: the docstrings quote values, such as "250ms"

extensions = [
    "generated",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["inventories"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Single backticks in docstrings: a link if the name is known, code otherwise.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Types are in the code, and in the words of the docstrings.
autodoc_typehints = "none"
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"

# Names of other projects, by `inventories.py`.
intersphinx_mapping = {
    "aiohttp": ("https://docs.aiohttp.org/en/stable/", str(HERE / "inventories/aiohttp.txt")),
    "yarl": ("https://yarl.aio-libs.org/en/latest/", str(HERE / "inventories/yarl.txt")),
    "attrs": ("https://www.attrs.org/en/stable/", str(HERE / "inventories/attrs.txt")),
}
