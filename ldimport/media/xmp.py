"""XMP packets (ISO 16684-1): the RDF of a packet as plain values.

Read by expat within bounds; a document type, and with it every entity, ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from ldimport.media.fields import NAMESPACES
from ldimport.model import Json

_MAX_BYTES = 1_000_000
_MAX_NODES = 20_000
_MAX_DEPTH = 50
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"


class _TooMuchError(Exception):
    """The packet is larger or stranger than any that people write."""


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    text: str = ""


def read(packet: bytes) -> dict[str, Json]:
    """The properties of a packet that belong to ``NAMESPACES``, as ``prefix:name`` -> text, list
    or object; empty for what is no packet. Never raises."""
    if len(packet) > _MAX_BYTES:
        return {}
    try:
        root = _parse(packet)
    except (expat.ExpatError, _TooMuchError, ValueError, LookupError):
        return {}
    found: dict[str, Json] = {}
    for description in _descriptions(root):
        for name, value in _properties(description):
            prefix = NAMESPACES.get(name.rpartition(" ")[0])
            if prefix and value not in ("", [], {}):
                found.setdefault(f"{prefix}:{name.rpartition(' ')[2]}", value)
    return found


def _parse(packet: bytes) -> _Node:
    root = _Node("", {})
    open_nodes = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_NODES or len(open_nodes) > _MAX_DEPTH:
            raise _TooMuchError
        node = _Node(name, attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def text(piece: str) -> None:
        open_nodes[-1].text += piece

    def doctype(*_: object) -> None:
        raise _TooMuchError

    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_nodes.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(_decoded(packet), True)
    return root


def _decoded(packet: bytes) -> str:
    """XMP is UTF-8 or UTF-16; padding around the packet is no XML. Raises ValueError."""
    encoding = "utf-8"
    if packet[:2] in (b"\0<", b"\xfe\xff"):
        encoding = "utf-16-be"
    elif packet[:2] in (b"<\0", b"\xff\xfe"):
        encoding = "utf-16-le"
    return packet.decode(encoding).strip("\0\ufeff \t\r\n")


def _descriptions(node: _Node) -> Iterator[_Node]:
    """The top descriptions of every RDF element."""
    for child in node.children:
        if node.name == f"{_RDF}RDF":
            yield child
        else:
            yield from _descriptions(child)


def _properties(node: _Node) -> Iterator[tuple[str, Json]]:
    """Properties written as attributes, then those written as elements."""
    for name, text in node.attributes.items():
        if " " in name and not name.startswith((_RDF, _LANGUAGE)):
            yield name, text.strip()
    for child in node.children:
        yield child.name, _value(child)


def _value(node: _Node) -> Json:
    """What a property element or a list item holds."""
    if f"{_RDF}resource" in node.attributes:
        return node.attributes[f"{_RDF}resource"]
    if node.attributes.get(f"{_RDF}parseType") == "Resource":
        return _structure(node)
    for child in node.children:
        if child.name == f"{_RDF}Alt":
            return _alternative(child)
        if child.name in (f"{_RDF}Bag", f"{_RDF}Seq"):
            return [value for value in map(_value, child.children) if value not in ("", [], {})]
        if child.name == f"{_RDF}Description":
            return _structure(child)
    return node.text.strip() or _structure(node) or ""


def _structure(node: _Node) -> dict[str, Json]:
    return {name.rpartition(" ")[2]: value for name, value in _properties(node)
            if value not in ("", [], {})}  # fmt: skip


def _alternative(node: _Node) -> Json:
    """The default among several languages, else the first."""
    texts = [item for item in node.children if item.text.strip()]
    for item in texts:
        if item.attributes.get(_LANGUAGE) == "x-default":
            return item.text.strip()
    return texts[0].text.strip() if texts else ""
