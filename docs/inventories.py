"""Make the inventories of other projects that the site's cross-references need.

The build reads them from `inventories/` and asks no network. This makes them anew, from the
documentation in the source distributions of those projects:

    pip download --no-deps --no-binary :all: aiohttp yarl attrs
    python docs/inventories.py aiohttp-*.tar.gz yarl-*.tar.gz attrs-*.tar.gz

They are written in version 1 of Sphinx's format, which is text: one name a line, so that a change
of them can be read.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from sphinx.util.inventory import InventoryFile

HERE = Path(__file__).parent / "inventories"


def inventory_of(archive: Path, name: str, version: str) -> str:
    """Return the names of the Python domain that a source distribution documents."""
    with tempfile.TemporaryDirectory() as work:
        with tarfile.open(archive) as opened:
            opened.extractall(work, filter="data")
        (root,) = Path(work).iterdir()
        built = Path(work) / "built"
        # Without its own configuration, whose extensions are not installed here: the directives
        # of those are errors that do no harm to the names.
        options = [
            "-C",
            "-Q",
            "-D",
            "extensions=sphinx.ext.autodoc,myst_parser",
            "-D",
            f"project={name}",
        ]
        command = [sys.executable, "-m", "sphinx", *options, str(root / "docs"), str(built)]
        subprocess.run(command, check=True)
        found = InventoryFile.loads((built / "objects.inv").read_bytes(), uri="").data
    lines = [
        f"{each} {kind.removeprefix('py:')} {item.uri.partition('#')[0]}"
        for kind, items in found.items()
        if kind.startswith("py:") and kind != "py:module"
        for each, item in items.items()
        # In version 1 the anchor is the name.
        if item.uri.partition("#")[2] == each
    ]
    head = ["# Sphinx inventory version 1", f"# Project: {name}", f"# Version: {version}"]
    return "\n".join([*head, *sorted(lines), ""])


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        project, _, release = given.name.removesuffix(".tar.gz").rpartition("-")
        (HERE / f"{project}.txt").write_text(
            inventory_of(given, project, release), encoding="utf-8"
        )
