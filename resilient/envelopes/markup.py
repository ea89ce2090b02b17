"""Read XML and HTML without trusting them.

XML is read by expat with handlers that refuse a document type, and with it every entity of
one's own: no billion laughs, no file and no address is ever looked up. Depth, elements and
text are bounded; where a bound is met, or the document is cut or broken, what came before counts.

HTML is not parsed at all: a title, a heading or a `pre` is looked for in its beginning.
"""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["html_texts", "is_html", "plain", "xml_document"]

_MAX_DEPTH: Final = 40
_MAX_ELEMENTS: Final = 4_000
_MAX_TEXT: Final = 65_536
# The part of an HTML document that is looked at, and of one text in it.
_HEAD: Final = 65_536
_MAX_SHOWN: Final = 2_000

_IS_HTML: Final = (
    r"(?i)\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--(?:[^-]|-(?!->)){0,4000}-->\s*)*"
    r"<(?:!doctype\s+html|html|head|body|title|center|h[1-6]|pre|p|div|script|style|meta|br|b)\b"
)
_TAG: Final = r"<[^<>]{0,2000}>"


class _Refused(Exception):
    """The document declares what no error needs, or is larger than any."""


def is_html(said: str) -> bool:
    """Return whether a text begins as HTML does."""
    return re.match(_IS_HTML, said) is not None


def html_texts(said: str) -> dict[str, str]:
    """Return the texts of the first title, heading, pre and so on, without tags, by their names."""
    said = said[:_HEAD]
    small = said.lower()
    if len(small) != len(said):  # a letter whose small form is longer
        small = said
    found = {}
    for name in ("title", "h1", "h2", "pre", "p"):
        start = small.find(f"<{name}>")
        if start < 0:
            start = small.find(f"<{name} ")
        begin = small.find(">", start) + 1
        end = small.find(f"</{name}>", begin)
        if start >= 0 and begin > 0 and (text := plain(said[begin : end if end >= 0 else None])):
            found[name] = text
    # HAProxy: text right behind the heading.
    start = small.find("</h1>")
    if start >= 0:
        end = small.find("</body>", start)
        if text := plain(said[start + len("</h1>") : end if end >= 0 else None]):
            found["rest"] = text
    # Tomcat: <p><b>Message</b> ...</p>
    start = small.find("<b>message</b>")
    if start >= 0:
        begin, end = start + len("<b>message</b>"), small.find("</p>", start)
        if text := plain(said[begin : end if end >= 0 else None]):
            found["message"] = text
    return found


def plain(said: str) -> str:
    """Return text of HTML in one line, without tags and with its entities undone."""
    said = re.sub(_TAG, " ", said[:_MAX_SHOWN])
    if "&" in said:
        try:
            # Its table of entities is long, and few pages are read.
            from html import unescape
        except ImportError:
            return " ".join(said.split())
        # Each undone once: "&amp;lt;" is a "&lt;" that somebody wrote.
        said = unescape(said)
    return " ".join(said.split())


def xml_document(said: str | bytes) -> dict[str, Any] | None:
    """Return an XML document as an object: members by local names, attributes among them.

    An element with nothing but text is a text, one that comes more than once a list. None if
    it is no XML, declares a document type, or holds nothing.
    """
    try:
        # Seldom needed; and an import at this moment may fail.
        from xml.parsers.expat import ExpatError, ParserCreate
    except ImportError:
        return None
    tree = _Tree()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.UnparsedEntityDeclHandler = _refuse
    try:
        parser.Parse(said, True)
    except _Refused:
        if tree.is_hostile:
            return tree.document
        return None
    except (ExpatError, ValueError, LookupError, UnicodeError):
        pass
    return tree.document


def _refuse(*_: object) -> None:
    raise _Refused


class _Tree:
    """Builds an object out of the events of a parser."""

    def __init__(self) -> None:
        self.is_hostile = False
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._root: dict[str, Any] = {}
        self._elements = 0
        self._left = _MAX_TEXT

    @property
    def document(self) -> dict[str, Any] | None:
        """The document as far as it was read: elements that are still open count as ended."""
        while self._open:
            self.end(self._open[-1][0])
        return self._root or None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            self._give_up()
        held = {
            _local(each): value
            for each, value in attributes.items()
            if not each.startswith(("xmlns", "xml:", "xsi:"))
        }
        self._open.append((_local(name), held, []))

    def text(self, data: str) -> None:
        self._left -= len(data)
        if self._open and data.strip():
            self._open[-1][2].append(data)
        if self._left < 0:
            self._give_up()

    def end(self, _: str) -> None:
        name, held, texts = self._open.pop()
        said = "".join(texts).strip()
        value: Any = said
        if held:
            if said:
                held.setdefault("#text", said)
            value = held
        parent = self._open[-1][1] if self._open else self._root
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def _give_up(self) -> None:
        self.is_hostile = True
        raise _Refused


def _local(name: str) -> str:
    return name.rpartition(":")[2]
