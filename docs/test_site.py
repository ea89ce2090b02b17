"""The site is built without a warning and without a network, and says all there is to say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import resilient
import resilient.envelopes
import resilient.testing
from docs.generated import PARTS
from resilient import Reason
from resilient.envelopes import FORMATS
from resilient.services.config.keys import dotted_keys
from resilient.services.config.layers import preset_names
from resilient.telemetry.events import KINDS

HERE = Path(__file__).parent

OFFLINE = """
import socket, sys
def refuse(*_):
    raise OSError("the build asked for a network")
socket.socket.connect = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", OFFLINE, "-q", "-W", "--keep-going", str(HERE), str(built)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return built


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "img", "link"):
            self.loaded += [given[name] for name in ("src", "href") if name in given]


def broken(pages: dict[Path, Page]) -> Iterator[str]:
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            to = (path.parent / unquote(target.path)).resolve() if target.path else path
            if to in pages:
                if target.fragment and unquote(target.fragment) not in pages[to].anchors:
                    yield f"{path.name}: {link}"
            elif not to.is_file():
                yield f"{path.name}: {link}"


def test_the_links_inside_lead_somewhere(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 20
    assert list(broken(pages)) == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {each for path in site.rglob("*.html") for each in Page(path).loaded}
    assert [each for each in loaded if urlsplit(each).netloc] == []


@pytest.mark.parametrize(
    "package", [resilient, resilient.envelopes, resilient.testing], ids=lambda it: it.__name__
)
def test_every_public_name_is_in_the_reference(site: Path, package: object) -> None:
    data = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    known = {name for kind, names in data.items() if kind.startswith("py:") for name in names}
    # A name that `resilient` has too stands there.
    homes = ("resilient", package.__name__)  # type: ignore[attr-defined]  # a package
    missing = [
        name
        for name in package.__all__  # type: ignore[attr-defined]  # as above
        if not any(f"{home}.{name}" in known for home in homes)
    ]
    assert missing == []


def shown(site: Path, page: str) -> str:
    text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", "", text)


def test_every_key_of_the_file_is_in_the_reference(site: Path) -> None:
    text = shown(site, "file")
    keys = [key for paths in dotted_keys().values() for key in paths.split(" or ")]
    assert len(keys) > 50
    assert [key for key in keys if key not in text] == []


def test_events_reasons_metrics_presets_and_formats_are_in_the_reference(site: Path) -> None:
    events, presets, formats = (shown(site, page) for page in ("events", "presets", "formats"))
    assert [kind for kind in KINDS if kind not in events] == []
    metrics = re.findall(r"^\| `([a-z_.]+)` \|", PARTS["metrics"](), re.M)
    assert len(metrics) > 10
    assert [name for name in metrics if name not in events] == []
    assert [reason.name for reason in Reason if reason.name not in events] == []
    assert [name for name in preset_names() if name not in presets] == []
    assert [each.name for each in FORMATS if each.name not in formats] == []


def test_no_words_of_a_property_are_taken_for_its_type(site: Path) -> None:
    pages = (site / "reference").glob("*.html")
    assert [page.name for page in pages if ">Type<" in page.read_text(encoding="utf-8")] == []


def test_every_part_that_can_be_generated_is_used() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in HERE.rglob("*.md"))
    assert [part for part in PARTS if f"% generated: {part}" not in pages] == []
